/*
 * list: intrusive, circular, doubly linked FIFO lists.
 * Invariant: a link is in at most one list; a link in none points to itself.
 * Owner:     a list owns nothing and frees nothing; each link lives in its object.
 */
#ifndef LC_LIST_H
#define LC_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct lc_link {
    struct lc_link *next;
    struct lc_link *prev;
};

#define lc_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void lc_list_init(struct lc_link *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool lc_list_empty(const struct lc_link *list)
{
    return list->next == list;
}

static inline void lc_list_append(struct lc_link *list, struct lc_link *link)
{
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

/* Takes the link out of whatever list it is in; harmless when it is in none. */
static inline void lc_list_unlink(struct lc_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    lc_list_init(link);
}

static inline struct lc_link *lc_list_pop(struct lc_link *list)
{
    struct lc_link *link = list->next;

    list->next = link->next;
    link->next->prev = list;
    lc_list_init(link);
    return link;
}

/* Moves all of `from` to the end of `to`; `from` is empty afterwards. */
static inline void lc_list_splice(struct lc_link *to, struct lc_link *from)
{
    if (lc_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    lc_list_init(from);
}

#endif
