#include "ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bound.h"
#include "clock.h"

struct holder {
    struct lc_link link;
    pid_t process;
};

struct port {
    struct lc_link link; /* ports->all */
    struct lc_link holders;
    double left; /* when the last holder went */
    int id;
    int fd;
    int seat;    /* with LC_BIND_REUSE_PORT: whose it is; else 0 */
    int ordinal; /* of those at port 0 */
    uint32_t flags;
    socklen_t size;
    struct sockaddr_storage address; /* as it was asked for */
    struct lc_bound_file file;
};

static struct port *port_of(struct lc_link *link)
{
    return lc_container_of(link, struct port, link);
}

static struct holder *find_holder(struct port *port, pid_t process)
{
    for (struct lc_link *link = port->holders.next; link != &port->holders; link = link->next) {
        struct holder *holder = lc_container_of(link, struct holder, link);

        if (holder->process == process)
            return holder;
    }
    return NULL;
}

static void drop_holder(struct port *port, struct holder *holder)
{
    if (holder == NULL)
        return;
    lc_list_unlink(&holder->link);
    free(holder);
    if (lc_list_empty(&port->holders))
        port->left = lc_monotonic_time();
}

static void port_close(struct port *port, bool is_supervisor)
{
    while (!lc_list_empty(&port->holders))
        drop_holder(port, lc_container_of(port->holders.next, struct holder, link));
    if (port->fd >= 0) {
        if (is_supervisor)
            lc_bound_remove(port->fd, &port->file);
        close(port->fd);
    }
    lc_list_unlink(&port->link);
    free(port);
}

/* ---- binding ---- */

/* The port number of an internet address, in network order; NULL: another family. */
static in_port_t *number_of(struct sockaddr_storage *address)
{
    switch (address->ss_family) {
    case AF_INET:
        return &((struct sockaddr_in *)address)->sin_port;
    case AF_INET6:
        return &((struct sockaddr_in6 *)address)->sin6_port;
    default:
        return NULL;
    }
}

static bool is_same(const struct port *a, const struct port *b)
{
    return a->size == b->size && a->ordinal == b->ordinal &&
           ((a->flags ^ b->flags) & (LC_BIND_REUSE_PORT | LC_BIND_DATAGRAM)) == 0 &&
           memcmp(&a->address, &b->address, a->size) == 0;
}

/* The address to bind to: where the other seats' sockets have got a number for port 0, that one. */
static struct sockaddr_storage bound_address(struct lc_ports *ports, const struct port *port)
{
    struct sockaddr_storage address = port->address;

    for (struct lc_link *link = ports->all.next; link != &ports->all; link = link->next) {
        struct sockaddr_storage theirs = {0};
        socklen_t size = sizeof theirs;

        if (number_of(&address) != NULL && is_same(port_of(link), port) &&
            getsockname(port_of(link)->fd, (struct sockaddr *)&theirs, &size) == 0)
            *number_of(&address) = *number_of(&theirs);
    }
    return address;
}

/* ---- the table ---- */

void lc_ports_init(struct lc_ports *ports)
{
    lc_list_init(&ports->all);
    ports->ids = 0;
}

static struct port *find(struct lc_ports *ports, const struct port *wanted)
{
    for (struct lc_link *link = ports->all.next; link != &ports->all; link = link->next) {
        if (is_same(port_of(link), wanted) && port_of(link)->seat == wanted->seat)
            return port_of(link);
    }
    return NULL;
}

/* The port that is wanted, bound; NULL: there is none, and *error says why. */
static struct port *find_or_bind(struct lc_ports *ports, const struct port *wanted, int *error)
{
    struct port *port = find(ports, wanted);
    struct sockaddr_storage address;

    if (port != NULL)
        return port;
    port = malloc(sizeof *port);
    if (port == NULL) {
        *error = ENOMEM;
        return NULL;
    }
    *port = *wanted;
    lc_list_init(&port->holders);
    address = bound_address(ports, port);
    *error = lc_bind_socket((struct sockaddr *)&address, port->size, port->flags, &port->fd,
                            &port->file);
    if (*error != 0) {
        free(port);
        return NULL;
    }
    port->id = ++ports->ids;
    lc_list_append(&ports->all, &port->link);
    return port;
}

/* The first one of that address that the process does not hold yet; of a numbered port there is only one. */
static struct port *find_free(struct lc_ports *ports, struct port *wanted, pid_t process,
                              int *error)
{
    bool any = number_of(&wanted->address) != NULL && *number_of(&wanted->address) == 0;

    for (;; wanted->ordinal++) {
        struct port *port = find_or_bind(ports, wanted, error);

        if (port == NULL || find_holder(port, process) == NULL)
            return port;
        if (!any) {
            *error = EADDRINUSE;
            return NULL;
        }
    }
}

int lc_ports_open(struct lc_ports *ports, pid_t process, int seat, struct lc_message *message)
{
    bool own = (message->flags & LC_BIND_REUSE_PORT) != 0;
    struct port wanted = {.fd = -1, .flags = message->flags, .address = message->address};
    struct holder *holder = malloc(sizeof *holder);
    struct port *port = NULL;

    wanted.seat = own ? seat : 0;
    wanted.size = message->size < sizeof message->address ? message->size : 0;
    message->error = ENOMEM;
    if (holder != NULL)
        port = find_free(ports, &wanted, process, &message->error);
    if (port == NULL) {
        free(holder);
        return -1;
    }
    holder->process = process;
    lc_list_init(&holder->link);
    lc_list_append(&port->holders, &holder->link);
    message->error = 0;
    message->id = port->id;
    return port->fd;
}

void lc_ports_closed(struct lc_ports *ports, pid_t process, int id)
{
    for (struct lc_link *link = ports->all.next; link != &ports->all; link = link->next) {
        if (port_of(link)->id == id)
            drop_holder(port_of(link), find_holder(port_of(link), process));
    }
}

void lc_ports_ended(struct lc_ports *ports, pid_t process)
{
    for (struct lc_link *link = ports->all.next; link != &ports->all; link = link->next)
        drop_holder(port_of(link), find_holder(port_of(link), process));
}

void lc_ports_expire(struct lc_ports *ports, double now, double seconds)
{
    struct lc_link *next;

    for (struct lc_link *link = ports->all.next; link != &ports->all; link = next) {
        next = link->next;
        if (lc_list_empty(&port_of(link)->holders) && now - port_of(link)->left >= seconds)
            port_close(port_of(link), true);
    }
}

void lc_ports_close(struct lc_ports *ports, bool is_supervisor)
{
    while (!lc_list_empty(&ports->all))
        port_close(port_of(ports->all.next), is_supervisor);
}
