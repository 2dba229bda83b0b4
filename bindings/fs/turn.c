/*
 * turn: the operations of a file one after the other, and its transfers. See file.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "core.h"
#include "file.h"
#include "fs.h"
#include "report.h"

static const struct lc_wait_type file_wait = {"file", NULL};

/* ---- starting ---- */

static const struct lc_errand_type transfer_type;

/* Whether two operations of different loops meet. */
static void bind_loop(lua_State *L, struct lc_file *file)
{
    struct lc_loop *loop = file->host->loop;

    if (loop == NULL)
        lc_raise(L, file->host, LC_RUNTIME_ERROR, "no running event loop");
    if ((file->transfer != NULL || !lc_list_empty(&file->waiters)) && file->loop != loop)
        lc_raise(L, file->host, LC_RUNTIME_ERROR, "the file is in use by a different event loop");
    file->loop = loop;
}

/* (transfer, file): makes it an errand. */
static int begin(lua_State *L)
{
    struct lc_transfer *transfer = lua_touserdata(L, 1);

    bind_loop(L, transfer->file);
    lc_errand_begin(L, transfer->file->loop, &transfer->job.errand, &transfer_type, 2);
    return 0;
}

/* Starts a transfer of the file at `idx`. False: the error to raise was pushed, nothing has changed. */
static bool start(lua_State *L, struct lc_file *file, int idx, const struct lc_transfer *like)
{
    struct lc_transfer *transfer = malloc(sizeof *transfer);

    if (transfer == NULL) {
        lua_pushliteral(L, "not enough memory");
        return false;
    }
    *transfer = *like;
    transfer->job.work = lc_transfer_work;
    transfer->job.dispose = lc_transfer_dispose;
    transfer->file = file;
    transfer->fd = file->fd;
    transfer->offset = file->offset;
    transfer->append = file->append;
    /* what is written to a pipe may wait for its reader for ever */
    transfer->job.errand.lasting = like->kind == LC_TRANSFER_WRITE && file->offset >= 0;
    idx = lua_absindex(L, idx);
    lua_pushcfunction(L, begin);
    lua_pushlightuserdata(L, transfer);
    lua_pushvalue(L, idx);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
        free(transfer);
        return false;
    }
    if (!lc_fs_submit(&transfer->job)) {
        lc_errand_withdraw(L, file->loop, &transfer->job.errand);
        free(transfer);
        lua_pushliteral(L, "cannot start a thread");
        return false;
    }
    file->transfer = transfer;
    file->error = 0;
    return true;
}

void lc_file_drop_input(struct lc_file *file)
{
    if (file->offset >= 0)
        file->offset -= (off_t)lc_bytes_size(&file->input);
    lc_bytes_free(&file->input);
}

static void start_write(lua_State *L, struct lc_file *file, enum lc_transfer_then then, off_t size)
{
    struct lc_transfer like = {.kind = LC_TRANSFER_WRITE, .then = then, .size = size};

    lc_file_drop_input(file);
    like.bytes = file->output;
    if (then == LC_THEN_CLOSE && file->temporary) {
        lua_getiuservalue(L, 1, 1);
        like.temporary = strdup(lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    if (!start(L, file, 1, &like)) {
        free(like.temporary);
        lua_error(L);
    }
    memset(&file->output, 0, sizeof file->output);
    if (then == LC_THEN_CLOSE)
        file->fd = -1;
}

void lc_file_start_read(lua_State *L, struct lc_file *file, enum lc_transfer_kind kind, size_t room,
                        size_t wanted)
{
    size_t left = lc_bytes_size(&file->input);
    struct lc_transfer like = {.kind = kind, .wanted = wanted};

    lc_wait_task(L, file->host, "read");
    if (left + room > 0) {
        like.bytes.block = malloc(left + room);
        if (like.bytes.block == NULL)
            luaL_error(L, "not enough memory");
    }
    if (left > 0)
        memcpy(like.bytes.block, file->input.block + file->input.start, left);
    like.bytes.end = left;
    like.bytes.capacity = left + room;
    if (!start(L, file, 1, &like)) {
        lc_bytes_free(&like.bytes);
        lua_error(L);
    }
}

void lc_file_start_write(lua_State *L, struct lc_file *file, enum lc_transfer_then then, off_t size)
{
    lc_wait_task(L, file->host, "write");
    start_write(L, file, then, size);
}

/* ---- coming back ---- */

/* Lets the first that waits try, if nothing is under way. */
static void next_turn(struct lc_file *file)
{
    if (file->transfer == NULL && !lc_list_empty(&file->waiters))
        lc_waiter_wake(lc_waiter_of(file->waiters.next));
}

/* What a transfer leaves in the file. */
static void take_back(struct lc_file *file, struct lc_transfer *transfer)
{
    file->transfer = NULL;
    if (transfer->kind == LC_TRANSFER_WRITE) {
        if (file->fd >= 0) {
            lc_bytes_free(&file->output);
            file->output = transfer->bytes;
            memset(&transfer->bytes, 0, sizeof transfer->bytes);
        }
        file->offset = transfer->offset;
        file->found = transfer->size;
        return;
    }
    file->ended = transfer->ended;
    file->offset = transfer->offset;
    lc_bytes_free(&file->input);
    file->input = transfer->bytes;
    memset(&transfer->bytes, 0, sizeof transfer->bytes);
}

static void push_failure(lua_State *L, struct lc_file *file, int idx, int error)
{
    if (error == ENOMEM) {
        lua_pushliteral(L, "not enough memory");
        return;
    }
    lua_getiuservalue(L, idx, 1);
    lc_fs_push_error(L, file->host, error, lua_tostring(L, -1), NULL);
    lua_replace(L, -2);
}

/* (file, error): who waited for it was cancelled, and nobody else gets to know. */
static int report_error(lua_State *L)
{
    struct lc_file *file = lua_touserdata(L, 1);

    lua_createtable(L, 0, 3);
    lua_pushliteral(L, "an operation on a file failed after it had been cancelled");
    lua_setfield(L, -2, "message");
    push_failure(L, file, 1, (int)lua_tointeger(L, 2));
    lua_setfield(L, -2, "exception");
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "file");
    lc_report_call_handler(L, file->loop);
    return 0;
}

/* (file): a close was cancelled before its turn. */
static int close_at_last(lua_State *L)
{
    struct lc_file *file = lua_touserdata(L, 1);

    start_write(L, file, LC_THEN_CLOSE, 0);
    file->transfer->unattended = true;
    return 0;
}

/* Nobody waits for an error of the file at `idx`. */
static void report_failure(lua_State *L, int idx, int error)
{
    lua_pushvalue(L, idx);
    lua_pushcfunction(L, report_error);
    lua_insert(L, -2);
    lua_pushinteger(L, error);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        lua_pop(L, 1);
}

/* The file at `idx` has no transfer now: the next one's turn. */
static void go_on_or_close(lua_State *L, struct lc_file *file, int idx)
{
    if (!file->closing || file->fd < 0 || file->transfer != NULL ||
        !lc_list_empty(&file->waiters)) {
        next_turn(file);
        return;
    }
    file->closing = false;
    lua_pushcfunction(L, close_at_last);
    lua_pushvalue(L, idx);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1); /* the collector closes it */
}

void lc_fs_drop_file(lua_State *L)
{
    struct lc_file *file = lua_touserdata(L, -1);

    file->closing = true;
    go_on_or_close(L, file, lua_gettop(L));
    lua_pop(L, 1);
}

static void transfer_run(struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_transfer *transfer = lc_container_of(entry, struct lc_transfer, job.errand.entry);
    struct lc_file *file = transfer->file;
    lua_State *L = loop->L;
    int idx;

    luaL_checkstack(L, 8, NULL);
    lc_errand_push_future(L, loop, &transfer->job.errand);
    idx = lua_gettop(L);
    take_back(file, transfer);
    if (transfer->error != 0 && !transfer->unattended)
        file->error = transfer->error;
    else if (transfer->error != 0 && transfer->kind == LC_TRANSFER_WRITE)
        report_failure(L, idx, transfer->error);
    lc_transfer_dispose(&transfer->job);
    go_on_or_close(L, file, idx);
    lua_settop(L, idx - 1);
}

static void transfer_forget(lua_State *L, struct lc_loop *loop, struct lc_entry *entry)
{
    struct lc_transfer *transfer = lc_container_of(entry, struct lc_transfer, job.errand.entry);

    lc_anchor_drop(L, loop->host, &transfer->job.errand.future);
    if (transfer->file->finished)
        transfer->owns_fd = true;
    else
        take_back(transfer->file, transfer);
    lc_transfer_dispose(&transfer->job);
}

/* The thread still uses the descriptor: it goes with the transfer, and the file is closed. */
static bool transfer_abandon(struct lc_errand *errand)
{
    struct lc_transfer *transfer = lc_container_of(errand, struct lc_transfer, job.errand);
    struct lc_file *file = transfer->file;

    transfer->owns_fd = true;
    file->transfer = NULL;
    file->fd = -1;
    return false;
}

static const struct lc_errand_type transfer_type = {{transfer_run, transfer_forget, NULL, NULL},
                                                    transfer_abandon};

/* ---- turns ---- */

/* What the continuation has to know: ctx is the operation, these stand at 4 of the frame. */
enum { PHASE_MASK = 0xff, STARTED = 0x100 };

static int operate_k(lua_State *L, int status, lua_KContext ctx);

static int wait(lua_State *L, struct lc_file *file, const struct lc_file_operation *operation,
                bool first, int state)
{
    struct lc_task *task = lc_wait_task(L, file->host, operation->name);

    bind_loop(L, file);
    lua_settop(L, 3);
    lua_pushinteger(L, state);
    if (first)
        lc_list_append(file->waiters.next, &task->waiter.link);
    else
        lc_list_append(&file->waiters, &task->waiter.link);
    lc_wait_begin(L, task, &file_wait, 1);
    return lc_wait_yield(L, task, (lua_KContext)operation, operate_k);
}

/* It is this operation's turn. */
static int try(lua_State *L, struct lc_file *file, const struct lc_file_operation *operation,
               int state)
{
    int phase = state & PHASE_MASK, n;

    /* whatever is raised from here on, the next one gets its turn */
    next_turn(file);
    if (state & STARTED && file->error != 0) {
        int error = file->error;

        file->error = 0;
        go_on_or_close(L, file, 1);
        push_failure(L, file, 1, error);
        return lua_error(L);
    }
    if (file->fd < 0 && !operation->on_closed && !(state & STARTED))
        lc_raise(L, file->host, LC_VALUE_ERROR, "I/O operation on closed file");
    if (!(state & STARTED))
        file->ended = false;
    n = operation->step(L, file, &phase);
    if (n != LC_FILE_WAIT) {
        if (file->closing)
            go_on_or_close(L, file, 1);
        return n;
    }
    return wait(L, file, operation, true, phase | STARTED);
}

/* The wait was cancelled; the error is on top. What is under way ends without its task. */
static int give_up(lua_State *L, struct lc_file *file, const struct lc_file_operation *operation,
                   int state)
{
    if (!(state & STARTED)) {
        if (operation->closes)
            file->closing = true;
    } else if (file->transfer != NULL) {
        file->transfer->unattended = true;
    } else if (file->error != 0) {
        report_failure(L, 1, file->error);
        file->error = 0;
    }
    go_on_or_close(L, file, 1);
    return lua_error(L);
}

static int operate_k(lua_State *L, int status, lua_KContext ctx)
{
    const struct lc_file_operation *operation = (const struct lc_file_operation *)ctx;
    struct lc_file *file = lua_touserdata(L, 1);
    struct lc_task *task = file->host->current;
    struct lc_link *link = &task->waiter.link;
    int state = (int)lua_tointeger(L, 4);

    (void)status;
    if (lc_wait_end(L, task)) {
        lc_list_unlink(link);
        return give_up(L, file, operation, state);
    }
    if (file->transfer != NULL || file->waiters.next != link) {
        /* another one's turn */
        lc_wait_begin(L, task, &file_wait, 1);
        return lc_wait_yield(L, task, ctx, operate_k);
    }
    lc_list_unlink(link);
    return try(L, file, operation, state);
}

int lc_file_operate(lua_State *L, const struct lc_file_operation *operation)
{
    struct lc_file *file = lua_touserdata(L, 1);

    if (file->transfer != NULL || !lc_list_empty(&file->waiters))
        return wait(L, file, operation, false, 0);
    return try(L, file, operation, 0);
}
