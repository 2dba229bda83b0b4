#include "text.h"

#include <stdint.h>

#include <lauxlib.h>

#include "standard.h"

#define CAPACITY_FIRST 512
#define CAPACITY_KEPT  4096

void *lc_text_push(lua_State *L, size_t head)
{
    struct lc_text *text = lua_touserdata(L, lua_upvalueindex(LC_UP_OWN));

    if (text != NULL && !text->is_busy) {
        lua_pushvalue(L, lua_upvalueindex(LC_UP_OWN));
    } else {
        text = lua_newuserdatauv(L, head + CAPACITY_FIRST, 0);
        text->capacity = CAPACITY_FIRST;
        text->head = head;
        text->is_kept = true;
        lua_copy(L, -1, lua_upvalueindex(LC_UP_OWN));
    }
    text->is_busy = true;
    text->size = 0;
    return text;
}

struct lc_text *lc_text_grow(lua_State *L, int slot, struct lc_text *text, size_t size)
{
    size_t capacity = text->capacity;
    struct lc_text *larger;

    if (size >= SIZE_MAX / 4 - text->size)
        luaL_error(L, "buffer too large");
    while (capacity < text->size + size)
        capacity *= 2;
    larger = lua_newuserdatauv(L, text->head + capacity, 0);
    memcpy(larger, text, text->head + text->size);
    larger->capacity = capacity;
    larger->is_kept = false;
    lua_replace(L, slot);
    return larger;
}

void lc_text_end(lua_State *L, int slot, struct lc_text *text)
{
    lua_pushlstring(L, (char *)text + text->head, text->size);
    if (!text->is_kept && text->capacity <= CAPACITY_KEPT) {
        text->is_kept = true;
        lua_copy(L, slot, lua_upvalueindex(LC_UP_OWN));
    }
    text->is_busy = false;
}
