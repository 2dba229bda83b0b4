/*
 * file: what can be done with an open file; in what order, turn.c says.
 * Reading takes from the input, of which one transfer brings 64 KiB at least; writing adds to the output,
 * which goes out when it has as much, and before anything else is done. So most calls do not wait.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "fs.h"

const struct lc_type lc_file_type = {"File", sizeof(struct lc_file)};

/* So much of an emptied output is kept for the next one. */
#define KEPT_MAX (2 * LC_FILE_BUFFER)

static int raise_errno(lua_State *L, struct lc_file *file, int number)
{
    lua_getiuservalue(L, 1, 1);
    lc_fs_push_error(L, file->host, number, lua_tostring(L, -1), NULL);
    return lua_error(L);
}

/* As Python's UnsupportedOperation. */
static void check_direction(lua_State *L, struct lc_file *file, bool allowed, const char *what)
{
    if (!allowed)
        lc_raise(L, file->host, LC_OS_ERROR, "not %s", what);
}

/* ---- reading ---- */

/* Has so many bytes more read, or LC_FILE_BUFFER; what is there already stays in front of them. */
static int fetch(lua_State *L, struct lc_file *file, size_t wanted)
{
    size_t left = lc_bytes_size(&file->input), room = wanted;

    if (room < LC_FILE_BUFFER)
        room = LC_FILE_BUFFER;
    /* what is found without a line's end is not looked through and copied too often */
    if (room < left)
        room = left;
    lc_file_start_read(L, file, LC_TRANSFER_READ, room, wanted);
    return LC_FILE_WAIT;
}

/* Before a read: what was written is to be seen. True: it goes out first. */
static bool flush_first(lua_State *L, struct lc_file *file)
{
    if (lc_bytes_size(&file->output) == 0)
        return false;
    lc_file_start_write(L, file, LC_THEN_NOTHING, 0);
    return true;
}

static void push_input(lua_State *L, struct lc_file *file, size_t size)
{
    struct lc_bytes *input = &file->input;

    lua_pushlstring(L, size > 0 ? input->block + input->start : "", size);
    input->start += size;
    if (input->start == input->end)
        lc_bytes_free(input);
}

/* How much one transfer of a large read brings. */
#define READ_MAX ((size_t)16 << 20)

static int step_read(lua_State *L, struct lc_file *file, int *phase)
{
    size_t size, wanted = (size_t)lua_tointeger(L, 2);

    check_direction(L, file, file->readable, "readable");
    if (flush_first(L, file))
        return LC_FILE_WAIT;
    *phase = 1;
    size = lc_bytes_size(&file->input);
    if (size >= wanted || file->ended) {
        push_input(L, file, size < wanted ? size : wanted);
        return 1;
    }
    return fetch(L, file, wanted - size < READ_MAX ? wanted - size : READ_MAX);
}

static int step_read_all(lua_State *L, struct lc_file *file, int *phase)
{
    check_direction(L, file, file->readable, "readable");
    if (flush_first(L, file))
        return LC_FILE_WAIT;
    if (file->ended) {
        push_input(L, file, lc_bytes_size(&file->input));
        return 1;
    }
    *phase = 1;
    lc_file_start_read(L, file, LC_TRANSFER_READ_ALL, 0, 0);
    return LC_FILE_WAIT;
}

/* The length of the first line with its end; 0: that is not there. */
static size_t find_line(const struct lc_file *file)
{
    const struct lc_bytes *input = &file->input;
    const char *data = input->block + input->start, *end;

    if (input->start == input->end)
        return 0;
    end = memchr(data, '\n', lc_bytes_size(input));
    return end != NULL ? (size_t)(end - data) + 1 : 0;
}

static int step_readline(lua_State *L, struct lc_file *file, int *phase)
{
    size_t length;

    check_direction(L, file, file->readable, "readable");
    if (flush_first(L, file))
        return LC_FILE_WAIT;
    length = find_line(file);
    if (length == 0 && !file->ended) {
        *phase = 1;
        return fetch(L, file, 1);
    }
    push_input(L, file, length > 0 ? length : lc_bytes_size(&file->input));
    return 1;
}

/* For an iterator: 2 says whether the newline is kept; nil at the end. */
static int step_next(lua_State *L, struct lc_file *file, int *phase)
{
    int n = step_readline(L, file, phase);
    const char *line;
    size_t length;

    if (n == LC_FILE_WAIT)
        return n;
    line = lua_tolstring(L, -1, &length);
    if (length == 0)
        lua_pushnil(L);
    else if (!lua_toboolean(L, 2) && line[length - 1] == '\n')
        lua_pushlstring(L, line, length - 1);
    return 1;
}

/* The length of a whole line that is there, while it is nobody else's turn; else 0. Of these lines most
 * files consist: their operation is no more than this. */
static size_t line_at_hand(const struct lc_file *file)
{
    if (file->fd < 0 || file->transfer != NULL || !lc_list_empty(&file->waiters) || file->closing)
        return 0;
    return find_line(file);
}

/* Takes a line of that length, without its newline if it is to be bare. */
static int take_line(lua_State *L, struct lc_file *file, size_t length, bool bare)
{
    struct lc_bytes *input = &file->input;

    lua_pushlstring(L, input->block + input->start, length - bare);
    input->start += length;
    if (input->start == input->end)
        lc_bytes_free(input);
    return 1;
}

/* ---- writing ---- */

static bool append_output(struct lc_file *file, const char *data, size_t size)
{
    struct lc_bytes *output = &file->output;

    if (output->capacity - output->end < size) {
        size_t used = lc_bytes_size(output), capacity = output->capacity * 2;
        char *block;

        if (capacity < used + size)
            capacity = used + size < 1024 ? 1024 : used + size;
        block = malloc(capacity);
        if (block == NULL)
            return false;
        if (used > 0)
            memcpy(block, output->block + output->start, used);
        free(output->block);
        *output = (struct lc_bytes){block, 0, used, capacity};
    }
    memcpy(output->block + output->end, data, size);
    output->end += size;
    return true;
}

static int step_write(lua_State *L, struct lc_file *file, int *phase)
{
    size_t size;
    const char *data = lua_tolstring(L, 2, &size);

    if (*phase == 0) {
        check_direction(L, file, file->writable, "writable");
        if (file->offset >= 0)
            lc_file_drop_input(file);
        if (!append_output(file, data, size))
            return luaL_error(L, "not enough memory");
        *phase = 1;
        if (lc_bytes_size(&file->output) >= LC_FILE_BUFFER) {
            lc_file_start_write(L, file, LC_THEN_NOTHING, 0);
            return LC_FILE_WAIT;
        }
    }
    if (file->output.start == file->output.end && file->output.capacity > KEPT_MAX)
        lc_bytes_free(&file->output);
    lua_pushinteger(L, (lua_Integer)size);
    return 1;
}

/* A write with what follows, once. */
static int write_once(lua_State *L, struct lc_file *file, int *phase, enum lc_transfer_then then,
                      off_t size)
{
    if (*phase == 1)
        return 0;
    *phase = 1;
    lc_file_start_write(L, file, then, size);
    return LC_FILE_WAIT;
}

static int step_flush(lua_State *L, struct lc_file *file, int *phase)
{
    if (lc_bytes_size(&file->output) == 0)
        return 0;
    return write_once(L, file, phase, LC_THEN_NOTHING, 0);
}

static int step_sync(lua_State *L, struct lc_file *file, int *phase)
{
    return write_once(L, file, phase, LC_THEN_SYNC, 0);
}

static int step_close(lua_State *L, struct lc_file *file, int *phase)
{
    if (file->fd < 0)
        return 0;
    return write_once(L, file, phase, LC_THEN_CLOSE, 0);
}

/* ---- position ---- */

static off_t position(const struct lc_file *file)
{
    return file->offset - (off_t)lc_bytes_size(&file->input) + (off_t)lc_bytes_size(&file->output);
}

/* Where an appended output will stand is known when it is written. */
static int step_tell(lua_State *L, struct lc_file *file, int *phase)
{
    (void)phase;
    if (file->offset < 0)
        return raise_errno(L, file, ESPIPE);
    if (file->append && flush_first(L, file))
        return LC_FILE_WAIT;
    lua_pushinteger(L, position(file));
    return 1;
}

static int step_seek(lua_State *L, struct lc_file *file, int *phase)
{
    lua_Integer by = lua_tointeger(L, 2), from = 0, to;
    const char *whence = lua_tostring(L, 3);

    if (file->offset < 0)
        return raise_errno(L, file, ESPIPE);
    if (*whence == 'e') {
        if (write_once(L, file, phase, LC_THEN_END, 0) == LC_FILE_WAIT)
            return LC_FILE_WAIT;
        from = file->found;
    } else {
        if (flush_first(L, file))
            return LC_FILE_WAIT;
        if (*whence == 'c')
            from = position(file);
    }
    if (__builtin_add_overflow(from, by, &to) || to < 0)
        return raise_errno(L, file, EINVAL);
    /* a small step in what was read costs nothing */
    if (to <= file->offset && file->offset - to <= (off_t)lc_bytes_size(&file->input)) {
        file->input.start = file->input.end - (size_t)(file->offset - to);
    } else {
        lc_bytes_free(&file->input);
        file->offset = to;
    }
    lua_pushinteger(L, to);
    return 1;
}

static int step_truncate(lua_State *L, struct lc_file *file, int *phase)
{
    lua_Integer size;

    check_direction(L, file, file->writable, "writable");
    if (*phase == 1) {
        lua_pushinteger(L, file->found);
        return 1;
    }
    size = lua_isnil(L, 2) ? position(file) : lua_tointeger(L, 2);
    if (file->offset < 0 && lua_isnil(L, 2))
        return raise_errno(L, file, ESPIPE);
    return write_once(L, file, phase, LC_THEN_TRUNCATE, size);
}

/* ---- the methods ---- */

static const struct lc_file_operation op_read = {"read", step_read, false, false};
static const struct lc_file_operation op_read_all = {"read", step_read_all, false, false};
static const struct lc_file_operation op_readline = {"readline", step_readline, false, false};
static const struct lc_file_operation op_next = {"lines", step_next, false, false};
static const struct lc_file_operation op_write = {"write", step_write, false, false};
static const struct lc_file_operation op_flush = {"flush", step_flush, false, false};
static const struct lc_file_operation op_sync = {"sync", step_sync, false, false};
static const struct lc_file_operation op_tell = {"tell", step_tell, false, false};
static const struct lc_file_operation op_seek = {"seek", step_seek, false, false};
static const struct lc_file_operation op_truncate = {"truncate", step_truncate, false, false};
static const struct lc_file_operation op_close = {"close", step_close, true, true};

/* The file at 1, with the arguments at 2 and 3. */
static int operate(lua_State *L, const struct lc_file_operation *operation)
{
    lc_check_self(L, &lc_file_type, operation->name);
    lua_settop(L, 3);
    return lc_file_operate(L, operation);
}

/* file:read(n?) -> string: n bytes, or fewer at the end; without n all the rest. May suspend. */
static int file_read(lua_State *L)
{
    lc_check_self(L, &lc_file_type, "read");
    if (lua_isnoneornil(L, 2) || lc_check_integer(L, 2, "read", 1) < 0)
        return operate(L, &op_read_all);
    return operate(L, &op_read);
}

/* file:readline() -> string with its newline; "" at the end. May suspend. */
static int file_readline(lua_State *L)
{
    struct lc_file *file = lc_check_self(L, &lc_file_type, "readline");
    size_t length = line_at_hand(file);

    return length > 0 ? take_line(L, file, length, false) : operate(L, &op_readline);
}

static int next_line(lua_State *L)
{
    struct lc_file *file = lua_touserdata(L, lua_upvalueindex(2));
    size_t length = line_at_hand(file);

    if (length > 0)
        return take_line(L, file, length, !lua_toboolean(L, lua_upvalueindex(3)));
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, lua_upvalueindex(3));
    lua_pushnil(L);
    return lc_file_operate(L, &op_next);
}

/* file:lines(keep?) -> iterator of lines without newlines, with them if keep is true or "L". */
static int file_lines(lua_State *L)
{
    struct lc_file *file = lc_check_self(L, &lc_file_type, "lines");
    bool keep;

    lua_settop(L, 2);
    if (lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), "l") != 0 &&
        strcmp(lua_tostring(L, 2), "L") != 0)
        lc_raise_value(L, file->host, "lines", 1, "'l', 'L' or a boolean expected");
    keep = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2)[0] == 'L' : lua_toboolean(L, 2);
    lua_pushlightuserdata(L, file->host);
    lua_pushvalue(L, 1);
    lua_pushboolean(L, keep);
    lua_pushcclosure(L, next_line, 3);
    return 1;
}

/* file:write(string) -> number of bytes. May suspend. */
static int file_write(lua_State *L)
{
    struct lc_file *file = lc_check_self(L, &lc_file_type, "write");

    if (lua_type(L, 2) != LUA_TSTRING && lua_type(L, 2) != LUA_TNUMBER)
        lc_raise_argument(L, file->host, LC_TYPE_ERROR, "write", 1, "string", 2);
    lua_tostring(L, 2);
    return operate(L, &op_write);
}

/* file:seek(offset, whence?) -> position. May suspend. */
static int file_seek(lua_State *L)
{
    struct lc_file *file = lc_check_self(L, &lc_file_type, "seek");
    const char *whence;

    lua_settop(L, 3);
    lc_check_integer(L, 2, "seek", 1);
    if (lua_isnil(L, 3)) {
        lua_pushliteral(L, "set");
        lua_replace(L, 3);
    }
    whence = lua_type(L, 3) == LUA_TSTRING ? lua_tostring(L, 3) : "";
    if (strcmp(whence, "set") != 0 && strcmp(whence, "cur") != 0 && strcmp(whence, "end") != 0)
        lc_raise_value(L, file->host, "seek", 2, "'set', 'cur' or 'end' expected");
    return operate(L, &op_seek);
}

static int file_tell(lua_State *L)
{
    return operate(L, &op_tell);
}

/* file:truncate(size?) -> size. May suspend. */
static int file_truncate(lua_State *L)
{
    struct lc_file *file = lc_check_self(L, &lc_file_type, "truncate");

    lua_settop(L, 2);
    if (!lua_isnil(L, 2) && lc_check_integer(L, 2, "truncate", 1) < 0)
        lc_raise_value(L, file->host, "truncate", 1, "a size of 0 or more expected");
    return operate(L, &op_truncate);
}

static int file_flush(lua_State *L)
{
    return operate(L, &op_flush);
}

static int file_sync(lua_State *L)
{
    return operate(L, &op_sync);
}

static int file_close(lua_State *L)
{
    return operate(L, &op_close);
}

static int file_fileno(lua_State *L)
{
    struct lc_file *file = lc_check_self(L, &lc_file_type, "fileno");

    if (file->fd < 0)
        lc_raise(L, file->host, LC_VALUE_ERROR, "I/O operation on closed file");
    lua_pushinteger(L, file->fd);
    return 1;
}

/* (file, key): its methods, and name, closed. Upvalue 2: the methods. */
static int file_index(lua_State *L)
{
    const char *key;

    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL)
        return 1;
    key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(key, "name") == 0) {
        lc_check_self(L, &lc_file_type, "name");
        lua_getiuservalue(L, 1, 1);
    } else if (strcmp(key, "closed") == 0) {
        struct lc_file *file = lc_check_self(L, &lc_file_type, "closed");

        lua_pushboolean(L, file->fd < 0);
    }
    return 1;
}

static int file_tostring(lua_State *L)
{
    struct lc_file *file = lc_check_self(L, &lc_file_type, "__tostring");

    lua_getiuservalue(L, 1, 1);
    lua_pushfstring(L, "<File '%s'%s>", lua_tostring(L, -1), file->fd < 0 ? " closed" : "");
    return 1;
}

/* One that nobody closed: what it has not written yet goes out on the spot. */
static int file_gc(lua_State *L)
{
    struct lc_file *file = lc_to_finalize(L, &lc_file_type);
    const char *name;
    int error = 0;

    if (file == NULL)
        return 0;
    if (file->transfer != NULL) {
        file->finished = true;
        return 0;
    }
    lua_getiuservalue(L, 1, 1);
    name = lua_tostring(L, -1);
    if (file->fd >= 0) {
        if (lc_bytes_size(&file->output) > 0)
            error = lc_bytes_write(&file->output, file->fd, &file->offset, file->append);
        if (close(file->fd) < 0 && error == 0)
            error = errno;
        if (file->temporary && name != NULL)
            unlink(name);
        file->fd = -1;
    }
    lc_bytes_free(&file->input);
    lc_bytes_free(&file->output);
    if (error != 0 && lua_checkstack(L, 4)) {
        lua_pushfstring(L, "lucio: the file '%s', which was never closed, lost data: %s\n", name,
                        strerror(error));
        lc_host_log(file->host, lua_tostring(L, -1));
    }
    return 0;
}

int lc_fs_push_file(lua_State *L, struct lc_host *host, struct lc_fs_call *call)
{
    int flags = (int)call->number[0], way = flags & O_ACCMODE;
    struct lc_file *file = lc_new_object(L, host, &lc_file_type, LC_REF_FILE, sizeof *file, 1);

    file->host = host;
    file->fd = -1;
    lc_list_init(&file->waiters);
    file->readable = call->number[1] || way != O_WRONLY;
    file->writable = call->number[1] || way != O_RDONLY;
    file->append = flags & O_APPEND;
    file->temporary = call->number[1];
    file->offset = (off_t)call->number[2];
    lua_pushstring(L, call->path);
    lua_setiuservalue(L, -2, 1);
    file->fd = call->fd;
    call->fd = -1;
    return 1;
}

void lc_fs_open_files(lua_State *L, struct lc_host *host)
{
    static const luaL_Reg methods[] = {
        {"read", file_read},   {"readline", file_readline}, {"lines", file_lines},
        {"write", file_write}, {"seek", file_seek},         {"tell", file_tell},
        {"flush", file_flush}, {"truncate", file_truncate}, {"sync", file_sync},
        {"close", file_close}, {"fileno", file_fileno},     {NULL, NULL}};
    static const luaL_Reg metamethods[] = {
        {"__close", file_close}, {"__tostring", file_tostring}, {"__gc", file_gc}, {NULL, NULL}};

    lc_new_type(L, host, LC_REF_FILE, "lucio.fs.File", methods, metamethods);
    lc_host_push_ref(L, host, LC_REF_FILE);
    lua_pushlightuserdata(L, host);
    lua_getfield(L, -2, "__index");
    lua_pushcclosure(L, file_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
