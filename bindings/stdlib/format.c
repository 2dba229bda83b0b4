/*
 * format: string.format whose "%s" may wait in a __tostring. Such arguments become texts, in the order
 * of the format, and the original does the rest. What it would raise for an earlier item of the format
 * is raised before a later __tostring is called. A short text of plain "%s" and "%d" is put together here,
 * or else the way to it and the original would together take half as long again as the original.
 */
#include <string.h>

#include <lauxlib.h>

#include "standard.h"
#include "tostring.h"

/* How much may stand between a "%" and its letter (lstrlib.c). */
#define MODIFIERS_MAX 20

struct item {
    int argument; /* 1: before the first item */
    char letter;
    bool doubtful; /* the original may raise for an item before it */
    size_t offset; /* of its "%" in the format... */
    size_t end;    /* ...and of what follows its letter */
};

static inline bool is_modifier(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == '#' || c == ' ';
}

/* Whether the original certainly formats the item. */
static bool is_right(lua_State *L, const struct item *item)
{
    return item->end - item->offset == 2 &&
           (item->letter == 's' || (item->letter == 'd' && lua_isinteger(L, item->argument)));
}

/* Finds the item of an argument, or ends before. Whether it is there, and a text. */
static bool find_text(lua_State *L, struct item *item, int argument)
{
    size_t length;
    const char *format = lua_tolstring(L, 1, &length);

    while (item->end < length && item->argument < argument) {
        const char *percent = format + item->end;
        size_t modifiers = 0;

        if (*percent != '%' && (percent = memchr(percent, '%', length - item->end)) == NULL)
            return false;
        if (percent[1] == '%') {
            item->end = (size_t)(percent - format) + 2;
            continue;
        }
        if (item->argument > 1 && !is_right(L, item))
            item->doubtful = true;
        while (is_modifier(percent[1 + modifiers]))
            modifiers++;
        if (modifiers > MODIFIERS_MAX)
            return false;
        item->argument++;
        item->offset = (size_t)(percent - format);
        item->end = item->offset + modifiers + 2;
        item->letter = percent[1 + modifiers];
    }
    return item->argument == argument && item->letter == 's';
}

/* Has the original raise what it would for the items before this one. */
static void check_before(lua_State *L, const struct item *item)
{
    int top = lua_gettop(L);

    luaL_checkstack(L, LUA_MINSTACK, NULL);
    lua_pushvalue(L, 1);
    lua_pushlstring(L, lua_tostring(L, 1), item->offset);
    lua_replace(L, 1);
    lc_standard_original(L);
    lua_pushvalue(L, top + 1);
    lua_replace(L, 1);
    lua_settop(L, top);
}
/* ---- putting together ---- */

/* Longer texts are the original's. */
#define TEXT_MAX 240

struct line {
    size_t size;
    char text[TEXT_MAX];
};

static bool add(struct line *line, const char *text, size_t size)
{
    if (size > TEXT_MAX - line->size)
        return false;
    memcpy(line->text + line->size, text, size);
    line->size += size;
    return true;
}

static bool add_integer(struct line *line, lua_Integer value)
{
    char digits[sizeof value * 3], *at = digits + sizeof digits;
    lua_Unsigned rest = value < 0 ? 0u - (lua_Unsigned)value : (lua_Unsigned)value;

    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (value < 0)
        *--at = '-';
    return add(line, at, (size_t)(digits + sizeof digits - at));
}

static bool add_argument(lua_State *L, struct line *line, char letter, int argument)
{
    size_t size;
    const char *text;

    if (lua_isinteger(L, argument))
        return add_integer(line, lua_tointeger(L, argument));
    if (letter != 's' || lua_type(L, argument) != LUA_TSTRING)
        return false;
    text = lua_tolstring(L, argument, &size);
    return add(line, text, size);
}

/* Whether the line could be made. */
static bool compose(lua_State *L, struct line *line, int top)
{
    size_t length;
    const char *format = lua_tolstring(L, 1, &length), *end = format + length;
    int argument = 1;

    line->size = 0;
    while (format < end) {
        const char *percent = memchr(format, '%', (size_t)(end - format));
        size_t size = (size_t)((percent != NULL ? percent : end) - format);

        if (size > 0 && !add(line, format, size))
            return false;
        if (percent == NULL)
            break;
        if ((percent[1] != 's' && percent[1] != 'd') || ++argument > top ||
            !add_argument(L, line, percent[1], argument))
            return false;
        format = percent + 2;
    }
    return true;
}

/* All arguments that had a __tostring are texts. */
static int finish(lua_State *L, int top)
{
    struct line line;

    if (!compose(L, &line, top))
        return lc_standard_original(L);
    lua_pushlstring(L, line.text, line.size);
    return 1;
}

/* ---- the function ---- */

static int format_k(lua_State *L, int status, lua_KContext argument);

/* Makes texts of the arguments from `i` on that have a __tostring; the item is that of one before. */
static int format_from(lua_State *L, struct item *item, int i, int top)
{
    for (; i <= top; i++) {
        if (lua_type(L, i) == LUA_TSTRING || !lua_getmetatable(L, i))
            continue;
        lua_pushvalue(L, lua_upvalueindex(LC_UP_OWN));
        if (lua_rawget(L, -2) != LUA_TNIL) {
            if (item->argument == 1 && (!lc_standard_may_wait(L, lc_host_of(L)) ||
                                        !lua_isstring(L, 1) || lc_has_tostring(L, 1))) {
                lua_settop(L, top);
                break;
            }
            if (find_text(L, item, i)) {
                if (item->doubtful)
                    check_before(L, item);
                lc_call_tostring(L, i, i, format_k);
                lc_tostring_end(L, i);
            }
        }
        lua_settop(L, top);
    }
    return item->argument > 1 ? finish(L, top) : lc_standard_original(L);
}

static int format_k(lua_State *L, int status, lua_KContext argument)
{
    struct item item = {.argument = 1};
    int i = (int)argument;

    (void)status;
    lc_tostring_end(L, i);
    /* only the metatable is left above the arguments */
    lua_pop(L, 1);
    find_text(L, &item, i);
    return format_from(L, &item, i + 1, lua_gettop(L));
}

/* string.format(format, ...) -> text */
static int string_format(lua_State *L)
{
    struct item item = {.argument = 1};

    return format_from(L, &item, 2, lua_gettop(L));
}

void lc_open_format(lua_State *L, struct lc_host *host)
{
    lc_replace_tostring(L, host, "format", string_format);
}
