#include "place.h"

#include <string.h>

#include "host.h"

/* A place is (number of the name << LINE_BITS) + line. */
#define LINE_BITS 20
#define LINE_TOP  ((1 << LINE_BITS) - 1)
#define NAMES_TOP ((1 << (32 - LINE_BITS)) - 1)

static unsigned name_hash(const char *name)
{
    unsigned hash = 5381;

    while (*name != '\0')
        hash = hash * 33 + (unsigned char)*name++;
    return hash;
}

/* The slot of the hash table in which the name is, or where it belongs. */
static uint16_t *name_slot(const struct lc_places *places, const char *name)
{
    unsigned mask = 2 * places->capacity - 1;
    unsigned i = name_hash(name) & mask;

    while (places->slots[i] != 0 && strcmp(places->names[places->slots[i] - 1].text, name) != 0)
        i = (i + 1) & mask;
    return &places->slots[i];
}

static bool names_grow(struct lc_host *host)
{
    struct lc_places *places = &host->places;
    unsigned old = places->capacity, capacity = old ? old * 2 : 16;
    struct lc_place_name *names;
    uint16_t *slots = lc_realloc(host, NULL, 0, 2 * capacity * sizeof *slots);

    if (slots == NULL)
        return false;
    names = lc_realloc(host, places->names, old * sizeof *names, capacity * sizeof *names);
    if (names == NULL) {
        lc_realloc(host, slots, 2 * capacity * sizeof *slots, 0);
        return false;
    }
    lc_realloc(host, places->slots, 2 * old * sizeof *slots, 0);
    memset(slots, 0, 2 * capacity * sizeof *slots);
    places->names = names;
    places->slots = slots;
    places->capacity = capacity;
    for (unsigned i = 0; i < places->count; i++)
        *name_slot(places, names[i].text) = (uint16_t)(i + 1);
    return true;
}

static bool is_short(const lua_Debug *ar)
{
    return ar->srclen < LUA_IDSIZE;
}

/* Whether the name is that of the chunk. Its source is compared where possible, since the text has
 * only just been written: reading it so early stalls the processor. */
static bool is_name(const struct lc_place_name *name, const lua_Debug *ar)
{
    if (is_short(ar))
        return name->length == ar->srclen && memcmp(name->source, ar->source, ar->srclen) == 0;
    return strcmp(name->text, ar->short_src) == 0;
}

/* The number of the chunk's name, 0 when there is no room for it. */
static __attribute__((noinline)) unsigned name_number(struct lc_host *host, const lua_Debug *ar)
{
    struct lc_places *places = &host->places;
    struct lc_place_name *name;
    uint16_t *slot;

    if (places->count > 0 && *(slot = name_slot(places, ar->short_src)) != 0)
        return *slot;
    if (places->count == NAMES_TOP || (places->count == places->capacity && !names_grow(host)))
        return 0;
    name = &places->names[places->count];
    strcpy(name->text, ar->short_src);
    name->length = ar->srclen;
    if (is_short(ar))
        memcpy(name->source, ar->source, ar->srclen);
    slot = name_slot(places, name->text);
    *slot = (uint16_t)++places->count;
    return *slot;
}

lc_place lc_place_here(lua_State *L, struct lc_host *host)
{
    struct lc_places *places = &host->places;
    uint16_t *recent;
    lua_Debug ar;

    /* level 0 is the C function that makes something; it may have been called by pcall */
    ar.currentline = -1;
    for (int level = 1; level <= 2 && ar.currentline < 0 && lua_getstack(L, level, &ar); level++)
        lua_getinfo(L, "Sl", &ar);
    if (ar.currentline <= 0 || ar.currentline > LINE_TOP)
        return 0;
    /* a chunk's name may be freed and its address used again: what is found is compared */
    recent = &places->recent[((uintptr_t)ar.source >> 5) % LC_PLACE_CACHE];
    if (*recent == 0 || !is_name(&places->names[*recent - 1], &ar))
        *recent = (uint16_t)name_number(host, &ar);
    return *recent == 0 ? 0 : ((lc_place)*recent << LINE_BITS) + (lc_place)ar.currentline;
}

void lc_place_push(lua_State *L, const struct lc_host *host, lc_place place)
{
    unsigned number = place >> LINE_BITS;

    if (number == 0)
        lua_pushnil(L);
    else
        lua_pushfstring(L, "%s:%d", host->places.names[number - 1].text, (int)(place & LINE_TOP));
}

void lc_places_close(struct lc_host *host)
{
    struct lc_places *places = &host->places;

    lc_realloc(host, places->names, places->capacity * sizeof *places->names, 0);
    lc_realloc(host, places->slots, 2 * places->capacity * sizeof *places->slots, 0);
    memset(places, 0, sizeof *places);
}
