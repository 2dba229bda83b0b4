#include "char_class.h"

#include <locale.h>
#include <string.h>

#include "host.h"
#include "pattern.h"

/* Longer patterns have no table. */
#define PATTERN_MAX 64
/* So many tables are kept; patterns beyond them have none. */
#define CLASSES_MAX 32
/* Key of their number. */
#define COUNT 1

/* Length of the set that begins the pattern; 0: it has no end. */
static size_t set_length(const char *pattern, size_t length)
{
    size_t at = pattern[1] == '^' ? 2 : 1;

    /* a ']' that comes first is one of the set */
    do {
        if (at < length && pattern[at] == '%')
            at++;
        at++;
        if (at >= length)
            return 0;
    } while (pattern[at] != ']');
    return at + 1;
}

/* Length of the single character, class or set that begins the pattern; 0: something else does. */
static size_t item_length(const char *pattern, size_t length)
{
    if (pattern[0] == '[')
        return set_length(pattern, length);
    if (pattern[0] == '%')
        return pattern[1] == 'b' || pattern[1] == 'f' || (pattern[1] >= '0' && pattern[1] <= '9')
                   ? 0
                   : 2;
    return memchr("^$*+?.()-\0", pattern[0], 10) == NULL ? 1 : 0;
}

/* Whether the pattern is an item and `+`. */
static bool is_run(const char *pattern, size_t length)
{
    return length >= 2 && length <= PATTERN_MAX && pattern[length - 1] == '+' &&
           item_length(pattern, length) == length - 1;
}

/* Fills the table of a run's pattern. */
static void class_fill(lua_State *L, struct lc_char_class *class, const char *pattern,
                       size_t length)
{
    struct lc_host *host = lc_host_of(L);

    for (int c = 0; c < 256; c++) {
        char subject = (char)c;
        struct lc_match match;

        lc_match_init(&match, L, host, &subject, 1, pattern, length - 1);
        class->has[c] = lc_match_at(&match, &subject, pattern) != NULL;
    }
}

const struct lc_char_class *lc_char_class_push(lua_State *L, int kept, int idx)
{
    struct lc_char_class *class;
    lua_Integer count;
    const char *pattern;
    size_t length;

    pattern = lua_tolstring(L, idx, &length);
    if (!is_run(pattern, length) || strcmp(setlocale(LC_CTYPE, NULL), "C") != 0)
        return NULL;
    lua_pushvalue(L, idx);
    if (lua_rawget(L, kept) == LUA_TUSERDATA)
        return lua_touserdata(L, -1);
    lua_rawgeti(L, kept, COUNT);
    count = lua_tointeger(L, -1);
    lua_pop(L, 2);
    if (count == CLASSES_MAX)
        return NULL;
    class = lua_newuserdatauv(L, sizeof *class, 0);
    class_fill(L, class, pattern, length);
    lua_pushvalue(L, idx);
    lua_pushvalue(L, -2);
    lua_rawset(L, kept);
    lua_pushinteger(L, count + 1);
    lua_rawseti(L, kept, COUNT);
    return class;
}
