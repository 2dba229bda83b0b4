#include "guest.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host.h"
#include "loop.h"

struct lc_guest {
    ev_prepare turn; /* runs a tick if there is anything to run */
    ev_idle hurry;   /* active while something is ready: the libev loop does not block */
    struct lc_loop *loop;
    lc_guest_raised *raised;
};

struct lc_guest *lc_guest_new(struct lc_host *host)
{
    struct lc_guest *guest = lc_realloc(host, NULL, 0, sizeof *guest);

    if (guest != NULL)
        memset(guest, 0, sizeof *guest);
    return guest;
}

void lc_guest_free(struct lc_host *host, struct lc_guest *guest)
{
    if (guest != NULL)
        lc_realloc(host, guest, sizeof *guest, 0);
}

static void on_hurry(struct ev_loop *ev, ev_idle *hurry, int events)
{
    (void)ev;
    (void)hurry;
    (void)events;
}

/* Sets the watchers that end the next poll in time. */
static void set_alarm(struct lc_loop *loop, double timeout)
{
    struct lc_guest *guest = loop->guest;

    ev_timer_stop(loop->ev, &loop->alarm);
    if (timeout == 0) {
        ev_idle_start(loop->ev, &guest->hurry);
        return;
    }
    ev_idle_stop(loop->ev, &guest->hurry);
    if (timeout > 0) {
        /* libev counts from the time it has read last */
        ev_timer_set(&loop->alarm, timeout + (ev_time() - ev_now(loop->ev)), 0);
        ev_timer_start(loop->ev, &loop->alarm);
    }
}

/* Before each poll of the program's loop. */
static void on_turn(struct ev_loop *ev, ev_prepare *turn, int events)
{
    struct lc_loop *loop = lc_container_of(turn, struct lc_guest, turn)->loop;
    lua_State *L = loop->host->L;

    (void)ev;
    (void)events;
    /* inside of a call of Lua's, or of a tick, it is not our turn */
    if (loop->host->loop != NULL)
        return;
    if (lc_loop_timeout(loop) == 0 && lc_loop_run_span(L, loop, LC_SPAN_TURN) == LC_RUN_RAISED) {
        if (loop->guest->raised != NULL)
            loop->guest->raised(L, loop);
        else
            lua_pop(L, 1);
    }
    set_alarm(loop, lc_loop_timeout(loop));
}

void lc_guest_start(struct lc_loop *loop)
{
    struct lc_guest *guest = loop->guest;

    guest->loop = loop;
    ev_prepare_init(&guest->turn, on_turn);
    ev_idle_init(&guest->hurry, on_hurry);
    ev_prepare_start(loop->ev, &guest->turn);
    /* neither of them is a reason for the program's loop to go on */
    ev_unref(loop->ev);
    ev_unref(loop->ev);
}

void lc_guest_stop(struct lc_loop *loop)
{
    ev_ref(loop->ev);
    ev_ref(loop->ev);
    ev_prepare_stop(loop->ev, &loop->guest->turn);
    ev_idle_stop(loop->ev, &loop->guest->hurry);
}

void lc_guest_hurry(struct lc_loop *loop)
{
    ev_idle_start(loop->ev, &loop->guest->hurry);
}

void lc_guest_on_raised(struct lc_loop *loop, lc_guest_raised *raised)
{
    loop->guest->raised = raised;
}

/* ---- a loop of ours under a poller of the program's ---- */

static void on_wake_fd(struct ev_loop *ev, ev_io *io, int events)
{
    uint64_t count;

    (void)ev;
    (void)events;
    /* what was posted is found by the flag */
    if (read(io->fd, &count, sizeof count) < 0)
        return;
}

void lc_guest_signal(int fd)
{
    uint64_t one = 1;
    int error = errno;

    /* full: it is readable already */
    if (write(fd, &one, sizeof one) < 0)
        errno = error;
}

/* libev tells the descriptor of its backend to nobody but the loop that embeds it. */
static int backend_fd(struct ev_loop *ev)
{
    struct ev_loop *outer = ev_loop_new(EVBACKEND_POLL | EVFLAG_NOENV);
    ev_embed embed;
    int fd;

    if (outer == NULL)
        return -ENOMEM;
    ev_embed_init(&embed, NULL, ev);
    ev_embed_start(outer, &embed);
    fd = embed.io.fd;
    ev_embed_stop(outer, &embed);
    ev_loop_destroy(outer);
    return fd;
}

int lc_guest_fd(struct lc_loop *loop)
{
    int fd, wake = atomic_load(&loop->wake_fd);

    if (loop->guest != NULL || !(ev_backend(loop->ev) & EVBACKEND_EPOLL))
        return -ENOTSUP;
    fd = backend_fd(loop->ev);
    if (fd < 0 || wake >= 0)
        return fd;
    /* libev's own wake-up is sent only to a loop that libev itself has put to sleep */
    wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake < 0)
        return -errno;
    ev_io_init(&loop->wake_io, on_wake_fd, wake, EV_READ);
    ev_io_start(loop->ev, &loop->wake_io);
    atomic_store(&loop->wake_fd, wake);
    return fd;
}

void lc_guest_close_fd(struct lc_loop *loop)
{
    ev_io_stop(loop->ev, &loop->wake_io);
    close(atomic_exchange(&loop->wake_fd, -1));
}
