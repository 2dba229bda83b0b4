/*
 * sort: table.sort with a comparator, or with metamethods, that may wait. It is Lua's quicksort with
 * the same choice of pivots, so the same comparisons in the same order, cut into steps.
 * Invariant: a step makes one call into Lua at most, and has noted the following step before it.
 *            Between steps all is in struct sort and on the stack: 1 the table, 2 the comparator or
 *            nil, 3 the struct, then the items in hand, as many as the step's comment says.
 * Owner:     the struct is a userdata. The function keeps the last one for the next sort; one that
 *            is in use, or was left by an error, is the collector's.
 */
#include <limits.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>

#include "operators.h"
#include "standard.h"

/* Ranges that large may get a random pivot (RANLIMIT in ltablib.c). */
#define RANDOM_MIN 100

/* The smaller part is always sorted first, so that n items nest log2(n) deep. */
#define DEPTH_MAX (sizeof(unsigned) * CHAR_BIT)

/* Items looked at before they are popped; the stack has room for twenty. */
#define BATCH 16

enum step {
    ENDS, /* none */
    ENDS_UPPER,
    ENDS_COMPARE, /* lower and upper end */
    ENDS_COMPARED,
    MIDDLE, /* none */
    MIDDLE_LOWER,
    MIDDLE_COMPARE_LOWER, /* middle and lower end */
    MIDDLE_COMPARED_LOWER,
    MIDDLE_COMPARE_UPPER, /* middle and upper end */
    MIDDLE_COMPARED_UPPER,
    PIVOT, /* none */
    PIVOT_HOLD,
    PIVOT_AWAY, /* pivot, pivot, the item before the upper end */
    SCAN,       /* pivot */
    SCAN_UP,
    SCAN_UP_COMPARE, /* pivot, item */
    SCAN_UP_COMPARED,
    SCAN_DOWN, /* pivot, item */
    SCAN_DOWN_COMPARE,
    SCAN_DOWN_COMPARED, /* pivot, item, item */
    SPLIT,              /* none */
    NEXT
};

struct range {
    unsigned lo, up;
    unsigned random; /* 0: the middle is the pivot */
    unsigned sorted; /* the size of the part that is sorted first */
};

struct sort {
    bool busy;
    bool is_table; /* not another object with the metamethods for it */
    bool has_function;
    enum step step;
    unsigned second; /* an index that the item on top goes to before the step, or 0 */
    struct range range;
    unsigned p;    /* the pivot's index */
    unsigned i, j; /* all below i is not above the pivot, all above j not below it */
    unsigned depth;
    struct range outer[DEPTH_MAX];
};

static int sort_k(lua_State *L, int status, lua_KContext ctx);

/* ---- what a step does; all note the step that follows ---- */

/* Pushes item i. */
static inline void get(lua_State *L, struct sort *sort, unsigned i, enum step next)
{
    sort->step = next;
    if (!sort->is_table)
        lc_op_geti(L, 1, i, (lua_KContext)sort, sort_k);
    else if (lua_rawgeti(L, 1, i) == LUA_TNIL && lua_getmetatable(L, 1))
        lc_op_geti_slowly(L, 1, i, (lua_KContext)sort, sort_k);
}

static void set_second(lua_State *L, struct sort *sort)
{
    unsigned i = sort->second;

    sort->second = 0;
    lc_op_seti(L, 1, i, (lua_KContext)sort, sort_k);
}

/* Pops two items: the upper one becomes item i, the lower one item j. */
static void set_two(lua_State *L, struct sort *sort, unsigned i, unsigned j, enum step next)
{
    sort->step = next;
    sort->second = j;
    lc_op_seti(L, 1, i, (lua_KContext)sort, sort_k);
    set_second(L, sort);
}

/* Compares two items on the stack; `next` takes the answer. */
static inline void compare(lua_State *L, struct sort *sort, int a, int b, enum step next)
{
    sort->step = next;
    if (sort->has_function) {
        lua_pushvalue(L, 2);
        lua_pushvalue(L, a - 1);
        lua_pushvalue(L, b - 2);
        lua_callk(L, 2, 1, (lua_KContext)sort, sort_k);
    } else {
        lc_op_less(L, a, b, (lua_KContext)sort, sort_k);
    }
}

/* The answer is on top; it goes, with the `items` below it if it is true, or else with `others`. */
static inline bool answer(lua_State *L, int items, int others)
{
    bool less = lua_toboolean(L, -1);

    lua_settop(L, -2 - (less ? items : others));
    return less;
}

/* ---- the phases for one range ---- */

/* Puts the two ends in order. */
static void sort_ends(lua_State *L, struct sort *sort)
{
    const struct range *range = &sort->range;

    switch (sort->step) {
    default:
        get(L, sort, range->lo, ENDS_UPPER);
        /* fall through */
    case ENDS_UPPER:
        get(L, sort, range->up, ENDS_COMPARE);
        /* fall through */
    case ENDS_COMPARE:
        compare(L, sort, -1, -2, ENDS_COMPARED);
        /* fall through */
    case ENDS_COMPARED:
        sort->step = MIDDLE;
        if (answer(L, 0, 2))
            set_two(L, sort, range->lo, range->up, MIDDLE);
    }
}

static unsigned choose_pivot(const struct range *range)
{
    unsigned quarter = (range->up - range->lo) / 4;

    if (range->up - range->lo < RANDOM_MIN || range->random == 0)
        return (range->lo + range->up) / 2;
    return range->random % (quarter * 2) + (range->lo + quarter);
}

/* Puts the middle in order with both ends. */
static void sort_middle(lua_State *L, struct sort *sort)
{
    const struct range *range = &sort->range;

    switch (sort->step) {
    default:
        if (range->up - range->lo == 1) {
            sort->step = NEXT;
            break;
        }
        sort->p = choose_pivot(range);
        get(L, sort, sort->p, MIDDLE_LOWER);
        /* fall through */
    case MIDDLE_LOWER:
        get(L, sort, range->lo, MIDDLE_COMPARE_LOWER);
        /* fall through */
    case MIDDLE_COMPARE_LOWER:
        compare(L, sort, -2, -1, MIDDLE_COMPARED_LOWER);
        /* fall through */
    case MIDDLE_COMPARED_LOWER:
        if (answer(L, 0, 1)) {
            set_two(L, sort, sort->p, range->lo, PIVOT);
            break;
        }
        get(L, sort, range->up, MIDDLE_COMPARE_UPPER);
        /* fall through */
    case MIDDLE_COMPARE_UPPER:
        compare(L, sort, -1, -2, MIDDLE_COMPARED_UPPER);
        /* fall through */
    case MIDDLE_COMPARED_UPPER:
        sort->step = PIVOT;
        if (answer(L, 0, 2))
            set_two(L, sort, sort->p, range->up, PIVOT);
    }
}

/* Moves the pivot out of the way, to before the upper end. */
static void place_pivot(lua_State *L, struct sort *sort)
{
    const struct range *range = &sort->range;

    switch (sort->step) {
    default:
        if (range->up - range->lo == 2) {
            sort->step = NEXT;
            break;
        }
        get(L, sort, sort->p, PIVOT_HOLD);
        /* fall through */
    case PIVOT_HOLD:
        lua_pushvalue(L, -1);
        get(L, sort, range->up - 1, PIVOT_AWAY);
        /* fall through */
    case PIVOT_AWAY:
        sort->i = range->lo;
        sort->j = range->up - 1;
        set_two(L, sort, sort->p, range->up - 1, SCAN_UP);
    }
}

static void raise_invalid_order(lua_State *L)
{
    luaL_error(L, "invalid order function for sorting");
}

/* Exchanges items until those below i are not above the pivot, and those above not below it. */
static void partition(lua_State *L, struct sort *sort)
{
    unsigned up = sort->range.up;

    for (;;) {
        switch (sort->step) {
        default:
            get(L, sort, ++sort->i, SCAN_UP_COMPARE);
            /* fall through */
        case SCAN_UP_COMPARE:
            compare(L, sort, -1, -2, SCAN_UP_COMPARED);
            /* fall through */
        case SCAN_UP_COMPARED:
            if (answer(L, 1, 0)) {
                if (sort->i == up - 1)
                    raise_invalid_order(L);
                sort->step = SCAN_UP;
                break;
            }
            /* fall through */
        case SCAN_DOWN:
            get(L, sort, --sort->j, SCAN_DOWN_COMPARE);
            /* fall through */
        case SCAN_DOWN_COMPARE:
            compare(L, sort, -3, -1, SCAN_DOWN_COMPARED);
            /* fall through */
        case SCAN_DOWN_COMPARED:
            if (answer(L, 1, 0)) {
                if (sort->j < sort->i)
                    raise_invalid_order(L);
                sort->step = SCAN_DOWN;
                break;
            }
            if (sort->j < sort->i) {
                lua_pop(L, 1);
                set_two(L, sort, up - 1, sort->i, SPLIT);
                return;
            }
            set_two(L, sort, sort->i, sort->j, SCAN_UP);
        }
    }
}

/* ---- from range to range ---- */

/* The sum of what the clocks give, as in ltablib.c. */
static unsigned random_number(void)
{
    clock_t clocks = clock();
    time_t seconds = time(NULL);
    unsigned words[(sizeof clocks + sizeof seconds) / sizeof(unsigned)], sum = 0;

    memcpy(words, &clocks, sizeof clocks);
    memcpy((char *)words + sizeof clocks, &seconds, sizeof seconds);
    for (size_t n = 0; n < sizeof words / sizeof words[0]; n++)
        sum += words[n];
    return sum;
}

/* The pivot is at i: first the smaller part, then the larger one. */
static void split_range(struct sort *sort)
{
    struct range *rest = &sort->outer[sort->depth++];
    unsigned pivot = sort->i;

    *rest = sort->range;
    if (pivot - rest->lo < rest->up - pivot) {
        sort->range.up = pivot - 1;
        rest->sorted = pivot - rest->lo;
        rest->lo = pivot + 1;
    } else {
        sort->range.lo = pivot + 1;
        rest->sorted = rest->up - pivot;
        rest->up = pivot - 1;
    }
}

/* Makes the next unsorted range current. False: there is none. */
static bool next_range(struct sort *sort)
{
    if (sort->step == SPLIT) {
        split_range(sort);
    } else {
        sort->range.lo = sort->range.up;
    }
    while (sort->range.lo >= sort->range.up) {
        if (sort->depth == 0)
            return false;
        sort->range = sort->outer[--sort->depth];
        if ((sort->range.up - sort->range.lo) / 128 > sort->range.sorted)
            sort->range.random = random_number();
    }
    sort->step = ENDS;
    return true;
}

static int sort_go(lua_State *L, struct sort *sort)
{
    do {
        if (sort->step < MIDDLE)
            sort_ends(L, sort);
        if (sort->step < PIVOT)
            sort_middle(L, sort);
        if (sort->step < SCAN_UP)
            place_pivot(L, sort);
        if (sort->step < SPLIT)
            partition(L, sort);
    } while (next_range(sort));
    sort->busy = false;
    return 0;
}

static int sort_k(lua_State *L, int status, lua_KContext ctx)
{
    struct sort *sort = (struct sort *)ctx;

    (void)status;
    if (sort->second != 0)
        set_second(L, sort);
    return sort_go(L, sort);
}

/* ---- the function ---- */

/* Pushes a struct that no other sort uses. */
static struct sort *take_struct(lua_State *L)
{
    struct sort *sort = lua_touserdata(L, lua_upvalueindex(LC_UP_OWN));

    if (sort == NULL || sort->busy) {
        sort = lua_newuserdatauv(L, sizeof *sort, 0);
        lua_pushvalue(L, -1);
        lua_replace(L, lua_upvalueindex(LC_UP_OWN));
    } else {
        lua_pushvalue(L, lua_upvalueindex(LC_UP_OWN));
    }
    sort->busy = true;
    return sort;
}

static int sort_range(lua_State *L, lua_Integer length, bool is_table, bool has_function)
{
    struct sort *sort;

    if (length <= 1)
        return 0;
    luaL_argcheck(L, length < INT_MAX, 1, "array too big");
    if (!has_function && !lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    sort = take_struct(L);
    sort->is_table = is_table;
    sort->has_function = has_function;
    sort->step = ENDS;
    sort->second = 0;
    sort->range = (struct range){1, (unsigned)length, 0, 0};
    sort->depth = 0;
    return sort_go(L, sort);
}

/* The length is on top. */
static int sort_length_k(lua_State *L, int status, lua_KContext ctx)
{
    lua_Integer length = lc_op_length(L);

    (void)status;
    (void)ctx;
    return sort_range(L, length, lua_type(L, 1) == LUA_TTABLE, lua_type(L, 2) == LUA_TFUNCTION);
}

/* Whether the items of the table are there, all numbers or all strings: sorting them by themselves
 * calls no Lua code. */
static bool is_plain(lua_State *L)
{
    lua_Integer length;
    int type, pushed = 1;
    bool same;

    if (lc_op_waits(L, 1, LC_HAS_LENGTH))
        return false;
    length = (lua_Integer)lua_rawlen(L, 1);
    type = lua_rawgeti(L, 1, 1);
    same = type == LUA_TNUMBER || type == LUA_TSTRING;
    for (lua_Integer i = 2; same && i <= length; i++) {
        if (pushed == BATCH) {
            lua_pop(L, pushed);
            pushed = 0;
        }
        same = lua_rawgeti(L, 1, i) == type;
        pushed++;
    }
    lua_pop(L, pushed);
    return same;
}

/* table.sort(list, comparator) */
static int table_sort(lua_State *L)
{
    struct lc_host *host = lc_host_of(L);
    bool is_table, has_function;

    if (host->current == NULL)
        return lc_standard_original(L);
    is_table = lua_type(L, 1) == LUA_TTABLE;
    has_function = lua_type(L, 2) == LUA_TFUNCTION;
    if ((is_table && !has_function && is_plain(L)) || !lc_standard_may_wait(L, host))
        return lc_standard_original(L);
    if (is_table && !lc_op_waits(L, 1, LC_HAS_LENGTH))
        return sort_range(L, (lua_Integer)lua_rawlen(L, 1), true, has_function);
    if (!lc_op_is_able(L, 1, LC_CAN_READ | LC_CAN_WRITE | LC_HAS_LENGTH))
        return lc_standard_original(L);
    lc_op_len(L, 1, 0, sort_length_k);
    return sort_length_k(L, LUA_OK, 0);
}

void lc_open_sort(lua_State *L, struct lc_host *host)
{
    lc_standard_replace(L, host, "sort", table_sort);
}
