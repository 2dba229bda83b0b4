/*
 * format: string.format whose "%s" may wait in a __tostring. Such arguments become texts, in the order
 * of the format, and the original does the rest. What it would raise for an earlier item of the format
 * is raised before a later __tostring is called.
 */
#include <string.h>

#include <lauxlib.h>

#include "standard.h"
#include "tostring.h"

/* What may stand between a "%" and its letter, and how much of it (lstrlib.c). */
#define MODIFIERS     "-+#0 123456789."
#define MODIFIERS_MAX 20

struct item {
    int argument;  /* 1: before the first item */
    size_t offset; /* of its "%" in the format... */
    size_t end;    /* ...and of what follows its letter */
    bool doubtful; /* the original may raise for an item before it */
};

/* Whether the original certainly formats this argument. */
static bool is_right(lua_State *L, char letter, size_t modifiers, int argument)
{
    return modifiers == 0 && letter == 'd' && lua_isinteger(L, argument);
}

/* Finds the next item "%s" of the format. False: there is none, or the original has to raise. */
static bool find_text(lua_State *L, struct item *item, const char *format, size_t length, int top)
{
    while (item->end < length) {
        const char *percent = memchr(format + item->end, '%', length - item->end);
        size_t modifiers;

        if (percent == NULL)
            return false;
        item->offset = (size_t)(percent - format);
        if (percent[1] == '%') {
            item->end = item->offset + 2;
            continue;
        }
        modifiers = strspn(percent + 1, MODIFIERS);
        if (modifiers > MODIFIERS_MAX || ++item->argument > top)
            return false;
        item->end = item->offset + modifiers + 2;
        if (percent[1 + modifiers] == 's')
            return true;
        if (!is_right(L, percent[1 + modifiers], modifiers, item->argument))
            item->doubtful = true;
    }
    return false;
}

/* Has the original raise what it would for the items before this one. */
static void check_before(lua_State *L, const struct item *item, const char *format)
{
    int top = lua_gettop(L);

    luaL_checkstack(L, LUA_MINSTACK, NULL);
    lua_pushvalue(L, 1);
    lua_pushlstring(L, format, item->offset);
    lua_replace(L, 1);
    lc_standard_original(L);
    lua_pushvalue(L, top + 1);
    lua_replace(L, 1);
    lua_settop(L, top);
}

static int format_k(lua_State *L, int status, lua_KContext ctx);

/* Goes on behind an item. */
static int format_on(lua_State *L, struct item *item)
{
    size_t length;
    const char *format = lua_tolstring(L, 1, &length);
    int top = lua_gettop(L);

    while (find_text(L, item, format, length, top)) {
        if (lc_push_tostring(L, item->argument)) {
            if (item->doubtful)
                check_before(L, item, format);
            lc_call_tostring(L, item->argument, item->argument, format_k);
            lc_tostring_end(L, item->argument);
        }
        if (item->end - item->offset > 2)
            item->doubtful = true;
    }
    return lc_standard_original(L);
}

static int format_k(lua_State *L, int status, lua_KContext argument)
{
    struct item item = {1, 0, 0, false};
    size_t length;
    const char *format = lua_tolstring(L, 1, &length);

    (void)status;
    lc_tostring_end(L, (int)argument);
    while (item.argument < (int)argument && find_text(L, &item, format, length, lua_gettop(L)))
        ;
    return format_on(L, &item);
}

/* string.format(format, ...) -> text */
static int string_format(lua_State *L)
{
    struct item item = {1, 0, 0, false};
    int top = lua_gettop(L);

    for (int i = 2; i <= top; i++) {
        if (lua_type(L, i) == LUA_TSTRING || !lua_getmetatable(L, i))
            continue;
        lua_pop(L, 1);
        if (lua_isstring(L, 1) && !lc_has_tostring(L, 1))
            return format_on(L, &item);
        break;
    }
    return lc_standard_original(L);
}

void lc_open_format(lua_State *L, struct lc_host *host)
{
    lc_replace_tostring(L, host, "format", string_format);
}
