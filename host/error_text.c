#include "error_text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "error.h"
#include "exception_group.h"
#include "traceback.h"

/* Groups within groups are shown so deep, so many members of each, so many origins of an error... */
#define DEPTH_MAX   10
#define MEMBERS_MAX 15
#define ORIGINS_MAX 15
/* ...and so many errors in all. */
#define ERRORS_MAX 200

#define CONTEXT_LINE "\n\nDuring handling of the above exception, another exception occurred:\n\n"
#define CAUSE_LINE   "\n\nThe above exception was the direct cause of the following exception:\n\n"

/* Escape sequences, or empty strings. */
struct style {
    const char *name;     /* of the class */
    const char *place;    /* file:line */
    const char *function; /* what is at that place */
    const char *aside;    /* what is no place in Lua code */
    const char *off;
};

static const struct style plain = {"", "", "", "", ""};
static const struct style coloured = {"\033[1;31m", "\033[35m", "\033[1m", "\033[2m", "\033[0m"};

struct printer {
    struct lc_host *host;
    const struct style *style;
    int left; /* errors that may still be shown */
};

bool lc_wants_colour(FILE *file)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

    if (no_colour != NULL && no_colour[0] != '\0')
        return false;
    return term != NULL && strcmp(term, "dumb") != 0 && isatty(fileno(file));
}

/* Adds one line of a traceback: "\tfile:line: in what", or something else. */
static void add_line(luaL_Buffer *buffer, const struct style *style, const char *line, size_t size)
{
    static const char in[] = ": in ";
    size_t indent = strspn(line, " \t"), place;
    bool is_place = size > indent && line[0] == '\t' && line[indent] != '(' &&
                    line[indent] != '.' && line[indent] != '[';

    for (place = indent; place < size && strncmp(line + place, in, strlen(in)) != 0; place++)
        continue;
    luaL_addlstring(buffer, line, indent < size ? indent : size);
    if (is_place && place < size) {
        luaL_addstring(buffer, style->place);
        luaL_addlstring(buffer, line + indent, place - indent);
        luaL_addstring(buffer, style->off);
        luaL_addstring(buffer, in);
        luaL_addstring(buffer, style->function);
        luaL_addlstring(buffer, line + place + strlen(in), size - place - strlen(in));
        luaL_addstring(buffer, style->off);
    } else if (size > indent) {
        luaL_addstring(buffer, line[0] == '\t' ? style->aside : "");
        luaL_addlstring(buffer, line + indent, size - indent);
        luaL_addstring(buffer, line[0] == '\t' ? style->off : "");
    }
}

/* Replaces the traceback on top by one with colours. [-1, +1, m] */
static void colour_traceback(lua_State *L, const struct style *style)
{
    const char *text = lua_tostring(L, -1);
    luaL_Buffer buffer;

    luaL_buffinit(L, &buffer);
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");

        add_line(&buffer, style, text, size);
        text += size;
        if (*text == '\n')
            luaL_addchar(&buffer, *text++);
    }
    luaL_pushresult(&buffer);
    lua_replace(L, -2);
}

/* Pushes "Class: message" and the traceback of the error at `idx`. [-0, +1, m] */
static void push_single(lua_State *L, struct printer *printer, int idx)
{
    const struct style *style = printer->style;

    lc_error_push_text(L, printer->host, idx);
    if (style != &plain && lc_is_error(L, idx)) {
        const char *text = lua_tostring(L, -1);
        size_t length = strcspn(text, ":\n");

        lua_pushlstring(L, text, length);
        lua_pushfstring(L, "%s%s%s%s", style->name, lua_tostring(L, -1), style->off, text + length);
        lua_replace(L, -3);
        lua_pop(L, 1);
    }
    lc_traceback_push(L, printer->host, idx);
    if (lua_type(L, -1) != LUA_TSTRING) {
        lua_pop(L, 1);
        return;
    }
    if (style != &plain)
        colour_traceback(L, style);
    lua_pushliteral(L, "\n");
    lua_insert(L, -2);
    lua_concat(L, 3);
}

static void push_error(lua_State *L, struct printer *printer, int idx, int depth);

/* Adds to the text on top what stands below a group: its members. The list is at `members`.
 * [-1, +1, m] */
static void add_members(lua_State *L, struct printer *printer, int members, int depth)
{
    int n = (int)lua_rawlen(L, members), shown = n < MEMBERS_MAX ? n : MEMBERS_MAX, i;

    if (depth >= DEPTH_MAX)
        shown = 0;
    for (i = 1; i <= shown && printer->left > 0; i++) {
        lua_rawgeti(L, members, i);
        push_error(L, printer, lua_gettop(L), depth + 1);
        luaL_gsub(L, lua_tostring(L, -1), "\n", i < n ? "\n  |   " : "\n      ");
        lua_pushfstring(L, "%s\n  +-- [%d] %s", lua_tostring(L, -4), i, lua_tostring(L, -1));
        lua_replace(L, -5);
        lua_pop(L, 3);
    }
    if (i <= n) {
        lua_pushfstring(L, "\n  +-- ... (%d more)", n - i + 1);
        lua_concat(L, 2);
    }
}

/* Pushes what the error on top comes from, or nil: its cause, else what it replaced. Returns how
 * Python says that. [-0, +1, -] */
static const char *push_origin(lua_State *L)
{
    lua_pushliteral(L, "cause");
    if (lua_rawget(L, -2) != LUA_TNIL)
        return CAUSE_LINE;
    lua_pop(L, 1);
    lua_pushliteral(L, "context");
    lua_rawget(L, -2);
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
    return CONTEXT_LINE;
}

/* Pushes a list of the error at `idx`, its origin, the origin of that... A circle is left where it
 * closes. [-0, +1, m] */
static int push_origins(lua_State *L, int idx)
{
    int n = 0, list;

    lua_newtable(L);
    list = lua_gettop(L);
    lua_pushvalue(L, idx);
    while (!lua_isnil(L, -1) && n < ORIGINS_MAX) {
        for (int i = 1; i <= n; i++) {
            lua_rawgeti(L, list, i);
            if (lua_rawequal(L, -1, list + 1)) {
                lua_settop(L, list);
                return n;
            }
            lua_pop(L, 1);
        }
        lua_pushvalue(L, -1);
        lua_rawseti(L, list, ++n);
        if (!lc_is_error(L, -1))
            break;
        push_origin(L);
        lua_replace(L, -2);
    }
    lua_settop(L, list);
    return n;
}

/* Pushes the text of the error at `idx` with its origins before it. [-0, +1, m] */
static void push_error(lua_State *L, struct printer *printer, int idx, int depth)
{
    int top = lua_gettop(L), n;

    luaL_checkstack(L, 20, NULL);
    n = push_origins(L, idx); /* top + 1 */
    lua_pushliteral(L, "");
    for (int i = n; i >= 1; i--) {
        printer->left--;
        lua_rawgeti(L, top + 1, i);
        push_single(L, printer, top + 3); /* top + 4 */
        if (lc_exception_group_push_members(L, top + 3)) {
            lua_insert(L, -2);
            add_members(L, printer, top + 4, depth);
            lua_remove(L, top + 4);
        }
        if (i > 1) {
            lua_rawgeti(L, top + 1, i - 1);
            lua_pushstring(L, push_origin(L));
            lua_replace(L, -3);
            lua_pop(L, 1);
        }
        lua_remove(L, top + 3);
        lua_concat(L, lua_gettop(L) - top - 1);
    }
    lua_remove(L, top + 1);
}

void lc_error_text_push(lua_State *L, struct lc_host *host, int idx, bool colour)
{
    struct printer printer = {host, colour ? &coloured : &plain, ERRORS_MAX};

    push_error(L, &printer, lua_absindex(L, idx), 0);
}
