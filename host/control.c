#include "control.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <lauxlib.h>

#include "core.h"
#include "inspect.h"

/* The process's: signals belong to it. */
static struct {
    _Atomic(struct lc_host *) host;
    atomic_int prints;      /* signals to print that were not served yet */
    _Atomic uint64_t asked; /* asker << 34 | value of the request; 0: none */
    atomic_bool forwarded;  /* another thread got the signal and passed it on */
    uint64_t served;        /* the last request that was answered; an asker may repeat it */
} control;

#define ASKER_SHIFT 34

/* ---- where the asker's socket is ---- */

bool lc_control_directory(int i, char *path, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    unsigned user = (unsigned)geteuid();

    switch (i) {
    case 0:
        if (runtime == NULL || runtime[0] != '/' ||
            (size_t)snprintf(path, size, "%s/lucio", runtime) >= size)
            path[0] = '\0';
        return true;
    case 1:
        snprintf(path, size, "/run/user/%u/lucio", user);
        return true;
    case 2:
        snprintf(path, size, "/tmp/lucio-%u", user);
        return true;
    default:
        return false;
    }
}

bool lc_control_is_private(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & 077) == 0;
}

bool lc_control_address(const char *directory, int pid, struct sockaddr_un *address)
{
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    return (size_t)snprintf(address->sun_path, sizeof address->sun_path, "%s/%d.sock", directory,
                            pid) < sizeof address->sun_path;
}

bool lc_control_peer_is(int fd, int pid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid() &&
           peer.pid == pid;
}

/* ---- answering ---- */

/* A connection to who asks, or -1. It never blocks. */
static int connect_to(int asker)
{
    char directory[sizeof((struct sockaddr_un *)0)->sun_path];
    struct sockaddr_un address;

    for (int i = 0; lc_control_directory(i, directory, sizeof directory); i++) {
        int fd;

        if (!lc_control_is_private(directory) || !lc_control_address(directory, asker, &address))
            continue;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
            return -1;
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
            lc_control_peer_is(fd, asker))
            return fd;
        close(fd);
    }
    return -1;
}

static bool write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        length -= (size_t)n;
    }
    return true;
}

/* Hands an open file over; a byte with the request that it answers goes with it. */
static void send_file(int to, int file, enum lc_request request)
{
    char byte = (char)request, space[CMSG_SPACE(sizeof file)] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof file);
    memcpy(CMSG_DATA(header), &file, sizeof file);
    sendmsg(to, &message, MSG_NOSIGNAL);
}

/* Sends the text on top to who asks. A memory file takes it whole at once, so that an asker who does
 * not read cannot hold the loop up. [-0, +0, -] */
static void send_answer(lua_State *L, int asker, enum lc_request request)
{
    int to = connect_to(asker), file;

    if (to < 0)
        return;
    file = memfd_create("lucio answer", MFD_CLOEXEC);
    if (file >= 0) {
        if (write_all(file, lua_tostring(L, -1), lua_rawlen(L, -1)))
            send_file(to, file, request);
        close(file);
    }
    close(to);
}

/* Pushes the task of that number. NULL: there is none, and nothing is pushed. */
static struct lc_task *push_task(lua_State *L, struct lc_host *host, uint32_t id)
{
    int top = lua_gettop(L);

    for (struct lc_link *link = host->loops.next; link != &host->loops; link = link->next) {
        lc_tasks_push(L, lc_container_of(link, struct lc_loop, link));
        for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i > 0; i--) {
            lua_rawgeti(L, top + 1, i);
            if (lc_to_task(L, -1)->id == id) {
                lua_replace(L, top + 1);
                return lc_to_task(L, top + 1);
            }
            lua_pop(L, 1);
        }
        lua_settop(L, top);
    }
    return NULL;
}

/* Pushes the number and the name of every task, one a line. */
static void push_names(lua_State *L, struct lc_host *host)
{
    luaL_Buffer buffer;
    lua_Integer n = 0;
    int list;

    lua_newtable(L);
    list = lua_gettop(L);
    for (struct lc_link *link = host->loops.next; link != &host->loops; link = link->next) {
        lc_tasks_push(L, lc_container_of(link, struct lc_loop, link));
        for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, list + 1); i++) {
            struct lc_task *task;

            lua_rawgeti(L, list + 1, i);
            task = lc_to_task(L, -1);
            lc_task_push_name(L, task, list + 2);
            lua_pushfstring(L, "%I %s", (LUAI_UACINT)task->id, lua_tostring(L, -1));
            lc_text_clean(L);
            lua_rawseti(L, list, ++n);
            lua_settop(L, list + 1);
        }
        lua_settop(L, list);
    }
    luaL_buffinit(L, &buffer);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, list, i);
        luaL_addvalue(&buffer);
        luaL_addchar(&buffer, '\n');
    }
    luaL_pushresult(&buffer);
    lua_replace(L, list);
}

/* Asks the task to end, unless it was asked already; pushes what to say. False: there is no such task. */
static bool cancel_task(lua_State *L, struct lc_host *host, uint32_t id, bool again)
{
    int top = lua_gettop(L);
    struct lc_task *task = push_task(L, host, id);

    if (task == NULL && again) {
        lua_pushfstring(L, "task %I was asked to end\n", (LUAI_UACINT)id);
        return true;
    }
    if (task == NULL) {
        lua_pushfstring(L, "no task has the number %I any more\n", (LUAI_UACINT)id);
        return false;
    }
    lc_task_push_name(L, task, top + 1);
    lua_pushfstring(L, "task %I, %s, was asked to end", (LUAI_UACINT)id, lua_tostring(L, -1));
    lc_text_clean(L);
    lua_pushfstring(L, "%s\n", lua_tostring(L, -1));
    if (!again) {
        lua_pushliteral(L, "cancelled from outside");
        lc_task_cancel(L, task, lua_gettop(L));
        lua_pop(L, 1);
    }
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return true;
}

/* Pushes the answer to a request, which may be asked again by who had no answer in time. */
static void push_answer(lua_State *L, struct lc_host *host, uint64_t value, bool again)
{
    bool ok = true;

    switch ((enum lc_request)(value & 3)) {
    case LC_ASK_LIST:
        lc_push_task_list(L, host);
        break;
    case LC_ASK_TREE:
        lc_push_all_trees(L, host);
        break;
    case LC_ASK_NAMES:
        push_names(L, host);
        break;
    case LC_ASK_CANCEL:
        ok = cancel_task(L, host, (uint32_t)(value >> 2), again);
        break;
    }
    lua_pushlstring(L, (const char[]){ok ? LC_ANSWER_OK : LC_ANSWER_ERROR}, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
}

/* ---- serving ---- */

static int print_trees(lua_State *L)
{
    lc_push_all_trees(L, lua_touserdata(L, 1));
    fprintf(stderr, "Tasks of process %d:\n%s", (int)getpid(), lua_tostring(L, -1));
    fflush(stderr);
    return 0;
}

struct answer {
    struct lc_host *host;
    uint64_t asked;
};

static int answer_request(lua_State *L)
{
    const struct answer *answer = lua_touserdata(L, 1);
    uint64_t value = answer->asked & (((uint64_t)1 << ASKER_SHIFT) - 1);
    bool again = answer->asked == control.served;

    control.served = answer->asked;
    push_answer(L, answer->host, value, again);
    send_answer(L, (int)(answer->asked >> ASKER_SHIFT), (enum lc_request)(value & 3));
    return 0;
}

static void call_protected(lua_State *L, lua_CFunction fn, void *data)
{
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, data);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        fprintf(stderr, "lucio: cannot tell what the tasks do: %s\n", lua_tostring(L, -1));
        lua_pop(L, 1);
    }
}

/* Does what signals have asked for. */
static void serve(lua_State *L, struct lc_host *host)
{
    struct answer answer = {host, atomic_exchange(&control.asked, 0)};

    if (!lua_checkstack(L, 20))
        return;
    if (atomic_exchange(&control.prints, 0) > 0)
        call_protected(L, print_trees, host);
    if (answer.asked != 0)
        call_protected(L, answer_request, &answer);
}

/* In the loop's thread: something was posted. */
static void take_posted(struct lc_loop *loop)
{
    serve(loop->L, loop->host);
}

/* In the Lua code that holds the loop up. */
static void serve_now(lua_State *L, struct lc_host *host, bool can_raise)
{
    (void)can_raise;
    serve(L, host);
}

/* ---- signals ---- */

/* Notes what the signal asks for. True: the same was asked before and not served. */
static bool note(int number, const siginfo_t *info)
{
    uint64_t asked;

    if (number != SIGURG)
        return atomic_fetch_add(&control.prints, 1) > 0;
    asked = (uint64_t)info->si_pid << ASKER_SHIFT |
            ((uintptr_t)info->si_value.sival_ptr & (((uint64_t)1 << ASKER_SHIFT) - 1));
    return atomic_exchange(&control.asked, asked) == asked;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    struct lc_host *host = atomic_load(&control.host);
    int saved = errno;
    bool forwarded, again;

    (void)context;
    if (host == NULL)
        return;
    forwarded = atomic_exchange(&control.forwarded, false);
    /* a socket of the script's may raise SIGURG too */
    if (number == SIGURG && info->si_code != SI_QUEUE && !forwarded)
        return;
    again = !forwarded && note(number, info);
    if (syscall(SYS_gettid) != getpid()) {
        /* the loop and Lua are the main thread's to look at */
        atomic_store(&control.forwarded, true);
        syscall(SYS_tgkill, getpid(), getpid(), number);
    } else if (host->loop != NULL) {
        /* a task runs, or the loop has not come round since the last signal: the Lua code that runs will
         * serve, should the loop not be there first */
        if (again || host->running != NULL)
            lc_hook_ask(host, LC_HOOK_CONTROL, serve_now);
        lc_loop_post(host->loop);
    }
    errno = saved;
}

void lc_control_open(struct lc_host *host)
{
    static const int signals[] = {SIGQUIT, SIGUSR1, SIGURG};
    struct sigaction action, old;

    atomic_store(&control.host, host);
    host->on_control = take_posted;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        /* what is ignored from the start stays so: SIGQUIT in the background of a shell */
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(signals[i], &action, NULL);
    }
}

void lc_control_close(void)
{
    atomic_store(&control.host, NULL);
}
