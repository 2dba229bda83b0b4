#include "hook.h"

#include "budget.h"
#include "host.h"
#include "loop.h"

static void on_hook(lua_State *L, lua_Debug *ar);

/* Takes the hook that is remembered for the thread. */
static struct lc_hook_replaced take_replaced(lua_State *L, struct lc_hooks *hooks)
{
    struct lc_hook_replaced taken = {NULL, NULL, 0, 0};

    for (size_t i = 0; i < LC_HOOKS_REPLACED; i++) {
        if (hooks->replaced[i].L != L)
            continue;
        taken = hooks->replaced[i];
        hooks->replaced[i].L = NULL;
    }
    return taken;
}

/* A signal may come at any point of this and do the same: nothing is lost by it, whoever is first. */
static void set(lua_State *L, struct lc_hooks *hooks, int mask)
{
    struct lc_hook_replaced had = {L, lua_gethook(L), lua_gethookmask(L), lua_gethookcount(L)};

    if (had.hook != on_hook) {
        take_replaced(L, hooks); /* of a thread that was at the same address */
        if (had.hook != NULL)
            hooks->replaced[atomic_fetch_add(&hooks->next, 1) % LC_HOOKS_REPLACED] = had;
    }
    /* lua_sethook may be called in a signal handler (manual, 4.7) */
    lua_sethook(L, on_hook, mask, 1);
}

static void restore(lua_State *L, struct lc_host *host)
{
    struct lc_hook_replaced had = take_replaced(L, &host->hooks);

    lua_sethook(L, had.hook, had.mask, had.count);
    /* a thread has our hook from its making, if its maker had it then */
    if (had.L == NULL)
        lc_budget_hook(L, host);
}

void lc_hook_set(lua_State *L, struct lc_host *host)
{
    set(L, &host->hooks, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT);
}

static void on_hook(lua_State *L, lua_Debug *ar)
{
    struct lc_host *host = lc_host_open(L);
    struct lc_hooks *hooks = &host->hooks;
    bool can_raise = ar->event == LUA_HOOKCOUNT;

    restore(L, host);
    for (int use = 0; use < LC_HOOK_USES; use++) {
        unsigned bit = 1U << use;

        if (!(atomic_fetch_and(&hooks->asked, ~bit) & bit))
            continue;
        /* it may raise: for the others */
        if (atomic_load(&hooks->asked) != 0)
            set(L, hooks, LUA_MASKCOUNT);
        hooks->serve[use](L, host, can_raise);
    }
}

void lc_hook_ask(struct lc_host *host, enum lc_hook_use use, lc_hook_serve serve)
{
    lua_State *L = host->running != NULL ? host->running
                   : host->loop != NULL  ? host->loop->L
                                         : host->L;

    host->hooks.serve[use] = serve;
    atomic_fetch_or(&host->hooks.asked, 1U << use);
    if (L != NULL)
        lc_hook_set(L, host);
}

void lc_hook_ask_again(lua_State *L, struct lc_host *host, enum lc_hook_use use)
{
    atomic_fetch_or(&host->hooks.asked, 1U << use);
    set(L, &host->hooks, LUA_MASKCOUNT);
}

void lc_hook_withdraw(lua_State *L, struct lc_host *host, enum lc_hook_use use)
{
    atomic_fetch_and(&host->hooks.asked, ~(1U << use));
    if (lua_gethook(L) == on_hook)
        restore(L, host);
    if (atomic_load(&host->hooks.asked) != 0)
        lc_hook_set(L, host);
}
