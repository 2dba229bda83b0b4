#include "refuse.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <lauxlib.h>

#include "state.h"

#define RUN_LIMIT   60 /* seconds, for one n */
#define NO_END      "no end within the limit"
#define ENDLESS_MAX 3 /* after so many the rest is not tried */

/* What the child tells: in memory that both processes have. */
struct progress {
    size_t n;           /* the request that this run refuses first */
    bool finished;      /* n is past the last request: all were tried */
    const char *script; /* that makes the function main */
    const char *step;   /* of the run */
    char fault[200];    /* empty: none, or a crash */
};

static struct progress *progress;

static void run_limit(int signal)
{
    (void)signal;
    snprintf(progress->fault, sizeof progress->fault, NO_END);
    _exit(1);
}

static int open_all(lua_State *L)
{
    state_open(L);
    return 0;
}

static int work(lua_State *L)
{
    if (luaL_loadstring(L, progress->script) != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 0);
    if (luaL_loadstring(L, "assert(lucio.run(main) == 'done') if runner then runner() end") !=
        LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

/* After a failure nothing may be left over in the state. */
static int check_rest(lua_State *L)
{
    static const char chunk[] =
        "collectgarbage() collectgarbage()\n"
        "for what, count in next, lucio.stats() do\n"
        "  if what ~= 'idle_threads' and count ~= 0 then error(count .. ' ' .. what, 0) end\n"
        "end\n";

    if (luaL_loadstring(L, chunk) != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

static int protected_step(lua_State *L, const char *name, lua_CFunction step)
{
    progress->step = name;
    lua_settop(L, 0);
    lua_pushcfunction(L, step);
    return lua_pcall(L, 0, 0, 0);
}

/* Lua's own library of buffers (lauxlib.c, newbox) leaves the metatable of its boxes half made when memory
 * ends between its parts, and never completes it. */
static void forget_boxes(lua_State *L)
{
    lua_settop(L, 0);
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "_UBOX*");
}

/* The state has memory again. */
static bool works_again(lua_State *L)
{
    forget_boxes(L);
    if (protected_step(L, "open again", open_all) == LUA_OK &&
        protected_step(L, "work again", work) == LUA_OK &&
        protected_step(L, "check the rest", check_rest) == LUA_OK)
        return true;
    snprintf(progress->fault, sizeof progress->fault, "%s: %s", progress->step,
             lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_tolstring(L, -1, NULL));
    return false;
}

/* Refuses the requests n .. n + width - 1 (SIZE_MAX: all from n on). False: there was a fault. */
static bool run_once(size_t n, size_t width)
{
    struct memory memory = {0};
    size_t files = state_open_files();
    bool good = true;
    lua_State *L;

    memory.fail_first = n;
    memory.fail_last = width == SIZE_MAX ? SIZE_MAX : n + width - 1;
    progress->step = "new state";
    L = lua_newstate(memory_alloc, &memory);
    if (L != NULL) {
        if (protected_step(L, "open", open_all) == LUA_OK)
            protected_step(L, "work", work);
        progress->finished = memory.requests < n;
        if (width != SIZE_MAX) {
            memory.fail_last = 0;
            good = works_again(L);
        }
        progress->step = "close";
        lua_close(L);
    }
    if (good && (memory.balance != 0 || memory.wrong_sizes != 0)) {
        snprintf(progress->fault, sizeof progress->fault, "%zu bytes left, %zu wrong sizes",
                 memory.balance, memory.wrong_sizes);
        good = false;
    }
    if (good && signal(SIGINT, SIG_DFL) != SIG_DFL) {
        snprintf(progress->fault, sizeof progress->fault, "Ctrl-C is still caught");
        good = false;
    }
    if (good && state_open_files() != files) {
        snprintf(progress->fault, sizeof progress->fault, "%zu descriptors instead of %zu",
                 state_open_files(), files);
        good = false;
    }
    return good;
}

/* In the child: from progress->n on, until a fault or the end. */
static void run_many(size_t width)
{
    int null = open("/dev/null", O_WRONLY);

    signal(SIGALRM, run_limit);
    /* back to the default: cmocka's own handlers would go on with its next test */
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    signal(SIGABRT, SIG_DFL);
    signal(SIGFPE, SIG_DFL);
    signal(SIGILL, SIG_DFL);
    /* what lucio reports while it has no memory is of no interest */
    dup2(null, STDERR_FILENO);
    do {
        alarm(RUN_LIMIT);
        if (!run_once(progress->n, width))
            _exit(1);
        progress->n++;
    } while (!progress->finished);
    _exit(0);
}

/* Fills in what became of the child. True: it tried all that was left without a fault. */
static bool wait_for_child(pid_t child)
{
    int status;

    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        snprintf(progress->fault, sizeof progress->fault, "signal %d in step `%s`",
                 WTERMSIG(status), progress->step);
    else if (progress->fault[0] == '\0')
        snprintf(progress->fault, sizeof progress->fault, "exit status %d in step `%s`",
                 WEXITSTATUS(status), progress->step);
    return false;
}

void refuse(const char *script, size_t width)
{
    char last[sizeof progress->fault] = "";
    int faults = 0, endless = 0;

    memset(progress, 0, sizeof *progress);
    progress->script = script;
    for (progress->n = 1; !progress->finished && endless < ENDLESS_MAX; progress->n++) {
        pid_t child;

        progress->fault[0] = '\0';
        fflush(NULL);
        child = fork();
        if (child == 0)
            run_many(width);
        if (wait_for_child(child))
            break;
        faults++;
        endless += strcmp(progress->fault, NO_END) == 0;
        /* neighbours mostly fail in the same way */
        if (strcmp(progress->fault, last) != 0)
            print_error("from request %zu on: %s\n", progress->n, progress->fault);
        memcpy(last, progress->fault, sizeof last);
    }
    if (faults > 0)
        fail_msg("%d of %zu runs had a fault", faults, progress->n);
    /* fewer requests would mean that the work was not done at all */
    assert_in_range(progress->n, 1000, 1000000);
}

int refuse_begin(void)
{
    setenv("LUCIO_CLOCK", "virtual", 1);
    progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return progress == MAP_FAILED ? -1 : 0;
}
