/*
 * libedit: loaded when the prompt first wants it: a script that never sees a prompt does not pay for its
 * start, a tenth of the command's.
 * Owner: the process, to its end.
 */
#ifndef LC_LIBEDIT_H
#define LC_LIBEDIT_H

#include <histedit.h>

#define LC_LIBEDIT_FUNCTIONS(X)                                                                    \
    X(el_end)                                                                                      \
    X(el_get)                                                                                      \
    X(el_init)                                                                                     \
    X(el_insertstr)                                                                                \
    X(el_resize)                                                                                   \
    X(el_set)                                                                                      \
    X(el_source)                                                                                   \
    X(el_wgets)                                                                                    \
    X(el_wline)                                                                                    \
    X(el_wset)                                                                                     \
    X(history)                                                                                     \
    X(history_end)                                                                                 \
    X(history_init)

struct lc_libedit {
#define FIELD(name) __typeof__(name) *name;
    LC_LIBEDIT_FUNCTIONS(FIELD)
#undef FIELD
};

/* NULL: it is not installed. */
const struct lc_libedit *lc_libedit_load(void);

#endif
