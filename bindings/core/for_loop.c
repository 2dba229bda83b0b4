#include "for_loop.h"

#include <stdint.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"

/* The parts of Lua 5.4's instructions and of its binary chunks (lopcodes.h, ldump.c) that are read
 * here; a chunk that begins otherwise is not read. */
#define CHUNK_BEGIN "\x1bLua\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08"
#define HEADER_SIZE (sizeof CHUNK_BEGIN - 1 + 8 + 8 + 1)
#define OP_CLOSE    54
#define OP_TFORLOOP 77

static unsigned opcode(uint32_t instruction)
{
    return instruction & 0x7f;
}

static unsigned argument_a(uint32_t instruction)
{
    return instruction >> 7 & 0xff;
}

/* A sound loop is left by a CLOSE of its first register, the faulty one by that of a later register. */
static bool has_faulty_for(const char *code, size_t count)
{
    for (size_t i = 0; i + 1 < count; i++) {
        uint32_t pair[2];

        memcpy(pair, code + i * 4, sizeof pair);
        if (opcode(pair[0]) == OP_TFORLOOP && opcode(pair[1]) == OP_CLOSE &&
            argument_a(pair[1]) > argument_a(pair[0]))
            return true;
    }
    return false;
}

/* A number of a chunk: 7 bits in each byte, the last of which has the eighth set. */
static size_t read_number(const char **at, const char *end)
{
    size_t number = 0;

    while (*at < end) {
        unsigned char byte = (unsigned char)*(*at)++;

        number = number << 7 | (byte & 0x7f);
        if (byte & 0x80)
            break;
    }
    return number;
}

/* Whether the chunk's function, without those inside of it, has a faulty loop. */
static bool is_faulty_chunk(const char *chunk, size_t length)
{
    const char *at = chunk + HEADER_SIZE, *end = chunk + length;
    size_t count;

    if (length < HEADER_SIZE || memcmp(chunk, CHUNK_BEGIN, sizeof CHUNK_BEGIN - 1) != 0)
        return false;
    read_number(&at, end); /* no source */
    read_number(&at, end); /* first and last line */
    read_number(&at, end);
    at += 3; /* parameters, varargs, size of the stack */
    count = read_number(&at, end);
    return at < end && count <= (size_t)(end - at) / 4 && has_faulty_for(at, count);
}

struct chunk {
    bool begun;
    luaL_Buffer buffer;
};

static int chunk_write(lua_State *L, const void *data, size_t length, void *chunk)
{
    struct chunk *to = chunk;

    /* not before: lua_dump wants its function on top of the stack */
    if (!to->begun) {
        to->begun = true;
        luaL_buffinit(L, &to->buffer);
    }
    luaL_addlstring(&to->buffer, data, length);
    return 0;
}

/* The function is on top. [-0, +0, m] */
static bool is_faulty(lua_State *L)
{
    struct chunk chunk = {.begun = false};
    int top = lua_gettop(L);
    size_t length;
    const char *text;
    bool faulty;

    if (lua_dump(L, chunk_write, &chunk, 1) != 0 || !chunk.begun)
        return false;
    luaL_pushresult(&chunk.buffer);
    text = lua_tolstring(L, -1, &length);
    faulty = is_faulty_chunk(text, length);
    lua_settop(L, top);
    return faulty;
}

bool lc_for_closes(lua_State *L, struct lc_host *host)
{
    int top = lua_gettop(L);
    lua_Debug ar;
    bool faulty;

    if (!lua_getstack(L, 1, &ar))
        return true;
    luaL_checkstack(L, 8, NULL);
    lua_getinfo(L, "f", &ar); /* top + 1 */
    if (lua_iscfunction(L, -1)) {
        lua_settop(L, top);
        return true;
    }
    lc_host_push_ref(L, host, LC_REF_FOR_LOOPS); /* top + 2 */
    lua_pushvalue(L, top + 1);
    if (lua_rawget(L, top + 2) != LUA_TBOOLEAN) {
        lua_settop(L, top + 2);
        lua_pushvalue(L, top + 1);
        faulty = is_faulty(L);
        lua_pushboolean(L, faulty);
        lua_rawset(L, top + 2);
    } else {
        faulty = lua_toboolean(L, -1);
    }
    lua_settop(L, top);
    return !faulty;
}

/* Without debug information nobody knows what a register is used for. */
static bool is_stripped(lua_State *co, lua_Debug *ar)
{
    lua_getinfo(co, "Sl", ar);
    return ar->what[0] != 'C' && ar->currentline < 0;
}

bool lc_for_is_active(lua_State *co, const void *object)
{
    lua_Debug ar;

    /* one that died of an error keeps its frames */
    if (lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD)
        return false;
    if (!lua_checkstack(co, 1))
        return true;
    for (int level = 0; lua_getstack(co, level, &ar); level++) {
        const char *name;

        for (int i = 1; (name = lua_getlocal(co, &ar, i)) != NULL; i++) {
            bool found = lua_touserdata(co, -1) == object;

            lua_pop(co, 1);
            if (found && (strcmp(name, "(for state)") == 0 || is_stripped(co, &ar)))
                return true;
        }
    }
    return false;
}

void lc_open_for_loop(lua_State *L, struct lc_host *host)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lc_host_set_ref(L, host, LC_REF_FOR_LOOPS);
}
