/*
 * permit: what the scripts of a host may do outside of it.
 * Invariant: host->permits is NULL as long as everything is allowed. What is in it only grows by addresses
 *            of names that are allowed, up to a limit; of paths it has where they led at the start.
 * Owner:     the host, by its allocator; workers have copies.
 * Context:   the host's thread.
 */
#include "permit.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <lauxlib.h>

#include "error.h"
#include "real_path.h"

/* Bytes of addresses that look-ups have found; then the oldest are forgotten. */
#define FOUND_MAX 16384

/* Longest name of a host, with its zero byte. */
#define NAME_MAX_SIZE 256

/* Records follow each other: a byte for the kind, then a text with its zero byte. The text of a path is
 * where it leads; of the net it is the port or '*', a space, and the host or '*'. */
struct lc_permits {
    size_t size;  /* of the records */
    size_t fixed; /* of those that no look-up has found */
    unsigned all; /* kinds that need no record */
    bool is_command;
    char records[];
};

static const struct {
    const char *name;
    const char *doing;
} kinds[] = {
    [LC_PERMIT_READ] = {"read", "reading"},         [LC_PERMIT_WRITE] = {"write", "writing"},
    [LC_PERMIT_NET] = {"net", "network access to"}, [LC_PERMIT_RUN] = {"run", "running"},
    [LC_PERMIT_ENV] = {"env", "the variable"},      [LC_PERMIT_LOAD] = {"load", "loading"},
};

static const char no_memory[] = "not enough memory";

static bool is_path_kind(enum lc_permission kind)
{
    return kind == LC_PERMIT_READ || kind == LC_PERMIT_WRITE || kind == LC_PERMIT_LOAD ||
           kind == LC_PERMIT_MODULES;
}

/* ---- records ---- */

static bool add_record(struct lc_host *host, enum lc_permission kind, const char *text)
{
    struct lc_permits *permits = host->permits;
    size_t length = strlen(text) + 1, old = sizeof *permits + permits->size;

    permits = lc_realloc(host, permits, old, old + 1 + length);
    if (permits == NULL)
        return false;
    permits->records[permits->size] = (char)kind;
    memcpy(permits->records + permits->size + 1, text, length);
    permits->size += 1 + length;
    host->permits = permits;
    return true;
}

/* The text of the next record of the kind at or behind *at, which moves on; NULL: there is none. */
static const char *next_record(const struct lc_permits *permits, enum lc_permission kind,
                               size_t *at)
{
    while (*at < permits->size) {
        const char *record = permits->records + *at;

        *at += 1 + strlen(record + 1) + 1;
        if (record[0] == (char)kind)
            return record + 1;
    }
    return NULL;
}

/* ---- hosts ---- */

/* The same text for the same host: addresses in their usual form, names in small letters. */
static bool plain_host(const char *name, char out[NAME_MAX_SIZE])
{
    unsigned char address[sizeof(struct in6_addr)];
    size_t length = strlen(name);

    if (inet_pton(AF_INET, name, address) == 1)
        return inet_ntop(AF_INET, address, out, NAME_MAX_SIZE) != NULL;
    if (inet_pton(AF_INET6, name, address) == 1)
        return inet_ntop(AF_INET6, address, out, NAME_MAX_SIZE) != NULL;
    if (length >= NAME_MAX_SIZE)
        return false;
    for (size_t i = 0; i <= length; i++)
        out[i] = (char)tolower((unsigned char)name[i]);
    return true;
}

/* A port as it is in a record; false: it is none. */
static bool plain_port(const char *port, char out[8])
{
    char *end;
    long number = strtol(port, &end, 10);

    if (strcmp(port, "*") == 0) {
        strcpy(out, "*");
        return true;
    }
    if (!isdigit((unsigned char)port[0]) || *end != '\0' || number > 65535)
        return false;
    snprintf(out, 8, "%u", (unsigned)number & 0xffff);
    return true;
}

/* The record of "host", "host:port", "[address]:port" or an IPv6 address. Returns what is wrong. */
static const char *net_record(const char *item, char *record, size_t size)
{
    char name[NAME_MAX_SIZE], plain[NAME_MAX_SIZE], port[8] = "*";
    const char *colon = strrchr(item, ':');
    size_t length;

    if (item[0] == '[') {
        const char *bracket = strchr(item++, ']');

        if (bracket == NULL || (bracket[1] != '\0' && bracket[1] != ':'))
            return "has a bad address in brackets";
        colon = bracket[1] == ':' ? bracket + 1 : NULL;
        length = (size_t)(bracket - item);
    } else {
        if (colon != NULL && strchr(item, ':') != colon)
            colon = NULL; /* an IPv6 address */
        length = colon != NULL ? (size_t)(colon - item) : strlen(item);
    }
    if (length == 0 || length >= sizeof name || memchr(item, ' ', length) != NULL)
        return "has a bad host";
    if (colon != NULL && !plain_port(colon + 1, port))
        return "has a bad port";
    memcpy(name, item, length);
    name[length] = '\0';
    if (!plain_host(name, plain))
        return "has a bad host";
    snprintf(record, size, "%s %s", port, plain);
    return NULL;
}

/* Whether the record allows the host (in its plain form) and the port; NULL: any port will do. */
static bool net_matches(const char *record, const char *name, const char *port)
{
    const char *space = strchr(record, ' ');
    size_t length = (size_t)(space - record);

    if (strcmp(space + 1, "*") != 0 && strcmp(space + 1, name) != 0)
        return false;
    return port == NULL || record[0] == '*' ||
           (strlen(port) == length && memcmp(record, port, length) == 0);
}

static bool has_net(const struct lc_permits *permits, const char *name, const char *port)
{
    const char *record;
    size_t at = 0;

    if (permits->all & 1u << LC_PERMIT_NET)
        return true;
    while ((record = next_record(permits, LC_PERMIT_NET, &at)) != NULL) {
        if (net_matches(record, name, port))
            return true;
    }
    return false;
}

/* ---- making ---- */

bool lc_permits_begin(struct lc_host *host)
{
    struct lc_permits *permits = lc_realloc(host, NULL, 0, sizeof *permits);

    if (permits == NULL)
        return false;
    memset(permits, 0, sizeof *permits);
    permits->is_command = host->is_command;
    host->permits = permits;
    return true;
}

bool lc_permits_add_path(struct lc_host *host, enum lc_permission kind, const char *path)
{
    char real[PATH_MAX];

    /* a path that leads nowhere allows nothing */
    return !lc_real_path(path, true, real) || add_record(host, kind, real);
}

/* Adds one item. Returns what is wrong with it, or NULL. */
static const char *add_item(struct lc_host *host, enum lc_permission kind, const char *item)
{
    char record[NAME_MAX_SIZE + 8];
    bool added = true;

    if (item[0] == '\0')
        return "has an empty item";
    if (kind == LC_PERMIT_NET) {
        const char *why = net_record(item, record, sizeof record);

        if (why != NULL)
            return why;
        item = record;
    }
    if (host == NULL)
        return NULL;
    if (is_path_kind(kind) || (kind == LC_PERMIT_RUN && strchr(item, '/') != NULL))
        added = lc_permits_add_path(host, kind, item);
    else
        added = add_record(host, kind, item);
    if (!added)
        return no_memory;
    host->permits->fixed = host->permits->size;
    return NULL;
}

/* Adds the items from *at up to one of the characters of `ends`, where *at is then. A backslash takes the
 * meaning of the next character. */
static const char *add_items(struct lc_host *host, enum lc_permission kind, const char **at,
                             const char *ends)
{
    char item[PATH_MAX];
    const char *why;
    size_t length = 0;

    for (;; ++*at) {
        char c = **at;

        if (c == ',' || c == '\0' || strchr(ends, c) != NULL) {
            item[length] = '\0';
            length = 0;
            why = add_item(host, kind, item);
            if (why != NULL || c != ',')
                return why;
            continue;
        }
        if (c == '\\' && (*at)[1] != '\0')
            c = *++*at;
        if (length + 1 >= sizeof item)
            return "has an item that is too long";
        item[length++] = c;
    }
}

const char *lc_permits_add(struct lc_host *host, enum lc_permission kind, const char *list)
{
    if (list != NULL)
        return add_items(host, kind, &list, "");
    if (host != NULL)
        host->permits->all |= 1u << kind;
    return NULL;
}

const char *lc_permits_add_text(struct lc_host *host, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "=;");
        int kind = LC_PERMIT_COUNT - 1;
        const char *why = NULL;

        while (kind >= 0 &&
               (strlen(kinds[kind].name) != length || strncmp(kinds[kind].name, text, length) != 0))
            kind--;
        if (kind < 0)
            return "has an unknown kind";
        text += length;
        if (*text == '=') {
            text++;
            why = add_items(host, (enum lc_permission)kind, &text, ";");
        } else {
            lc_permits_add(host, (enum lc_permission)kind, NULL);
        }
        if (why != NULL)
            return why;
        text += *text == ';';
    }
    return NULL;
}

struct lc_permits *lc_permits_copy(const struct lc_permits *permits)
{
    struct lc_permits *copy = malloc(sizeof *permits + permits->size);

    if (copy != NULL)
        memcpy(copy, permits, sizeof *permits + permits->size);
    return copy;
}

bool lc_permits_inherit(struct lc_host *host, const struct lc_permits *permits)
{
    size_t size = sizeof *permits + permits->size;

    host->permits = lc_realloc(host, NULL, 0, size);
    if (host->permits != NULL)
        memcpy(host->permits, permits, size);
    return host->permits != NULL;
}

size_t lc_permits_size(const struct lc_permits *permits)
{
    return sizeof *permits + permits->size;
}

void lc_permits_free(struct lc_host *host)
{
    if (host->permits != NULL)
        lc_realloc(host, host->permits, sizeof *host->permits + host->permits->size, 0);
    host->permits = NULL;
}

/* ---- deciding ---- */

/* Whether the walked path is one of the kind's, or below one. */
static bool has_walked(const struct lc_permits *permits, enum lc_permission kind, const char *real)
{
    const char *record;
    size_t at = 0;

    while ((record = next_record(permits, kind, &at)) != NULL) {
        size_t length = strlen(record);

        if (strncmp(record, real, length) != 0)
            continue;
        if (real[length] == '\0' || length == 1) /* "/" */
            return true;
        if (real[length] == '/' && kind != LC_PERMIT_RUN)
            return true;
    }
    return false;
}

static bool has_path(const struct lc_permits *permits, enum lc_permission kind, const char *path)
{
    char real[PATH_MAX];

    return lc_real_path(path, true, real) && has_walked(permits, kind, real);
}

bool lc_permits_has_walked(const struct lc_host *host, enum lc_permission kind, const char *real)
{
    return lc_permits_has_all(host, kind) || has_walked(host->permits, kind, real);
}

static bool has_name(const struct lc_permits *permits, enum lc_permission kind, const char *name)
{
    const char *record;
    size_t at = 0;

    while ((record = next_record(permits, kind, &at)) != NULL) {
        if (strcmp(record, name) == 0)
            return true;
    }
    return false;
}

bool lc_permits_has(const struct lc_host *host, enum lc_permission kind, const char *target)
{
    const struct lc_permits *permits = host->permits;

    if (permits == NULL || (permits->all & 1u << kind))
        return true;
    /* the dynamic linker looks for a bare name in directories of its own, and expands $ORIGIN */
    if (kind == LC_PERMIT_LOAD && (strchr(target, '/') == NULL || strchr(target, '$') != NULL))
        return false;
    if (is_path_kind(kind) || (kind == LC_PERMIT_RUN && strchr(target, '/') != NULL))
        return has_path(permits, kind, target);
    return has_name(permits, kind, target);
}

bool lc_permits_has_all(const struct lc_host *host, enum lc_permission kind)
{
    return host->permits == NULL || (host->permits->all & 1u << kind);
}

int lc_permit_refuse(lua_State *L, struct lc_host *host, enum lc_permission kind,
                     const char *target)
{
    const char *text = lua_pushfstring(
        L, host->permits->is_command ? "%s '%s' needs --allow-%s" : "%s '%s' needs permission: %s",
        kinds[kind].doing, target, kinds[kind].name);

    lc_error_push_os(L, host, EACCES, is_path_kind(kind) ? target : NULL, text);
    lua_error(L);
    __builtin_unreachable();
}

void lc_permit_target(lua_State *L, struct lc_host *host, enum lc_permission kind,
                      const char *target)
{
    if (!lc_permits_has(host, kind, target))
        lc_permit_refuse(L, host, kind, target);
}

static int refuse_net(lua_State *L, struct lc_host *host, const char *name, const char *port)
{
    const char *target = name;

    if (port != NULL)
        target = lua_pushfstring(L, strchr(name, ':') != NULL ? "[%s]:%s" : "%s:%s", name, port);
    return lc_permit_refuse(L, host, LC_PERMIT_NET, target);
}

/* A unix socket: its file, or a name that is in no directory. */
static void permit_unix(lua_State *L, struct lc_host *host, const struct sockaddr_un *un,
                        size_t size)
{
    size_t length = size - offsetof(struct sockaddr_un, sun_path);
    const char *path = lua_pushlstring(L, un->sun_path, length);

    if (path[0] != '\0') {
        lc_permit_target(L, host, LC_PERMIT_READ, path);
        lc_permit_target(L, host, LC_PERMIT_WRITE, path);
    } else if (!(host->permits->all & 1u << LC_PERMIT_NET)) {
        lc_permit_refuse(L, host, LC_PERMIT_NET, lua_pushfstring(L, "@%s", path + (length > 0)));
    }
    lua_pop(L, 1);
}

void lc_permit_socket(lua_State *L, struct lc_host *host, const struct sockaddr *address,
                      size_t size)
{
    char name[NAME_MAX_SIZE] = "", port[8];
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    bool is_six = address->sa_family == AF_INET6;

    luaL_checkstack(L, 8, NULL);
    if (address->sa_family == AF_UNIX) {
        permit_unix(L, host, (const struct sockaddr_un *)address, size);
        return;
    }
    inet_ntop(address->sa_family, is_six ? (const void *)&six->sin6_addr : &four->sin_addr, name,
              sizeof name);
    snprintf(port, sizeof port, "%d", (int)ntohs(is_six ? six->sin6_port : four->sin_port));
    if (!has_net(host->permits, name, port))
        refuse_net(L, host, name, port);
}

void lc_permit_lookup(lua_State *L, struct lc_host *host, const char *name, const char *service)
{
    char plain[NAME_MAX_SIZE], port[8];
    bool has_port = isdigit((unsigned char)service[0]) && plain_port(service, port);

    if (!plain_host(name, plain) || !has_net(host->permits, plain, has_port ? port : NULL))
        refuse_net(L, host, name, has_port ? port : NULL);
}

/* ---- addresses of names ---- */

/* Makes room for one more: the oldest address that was found goes. */
static void forget_oldest(struct lc_permits *permits)
{
    char *first = permits->records + permits->fixed;
    size_t length = 1 + strlen(first + 1) + 1;

    memmove(first, first + length, permits->size - permits->fixed - length);
    permits->size -= length;
}

/* Adds an address under the rule for its name. The records may move: the rule's port is a copy. */
static bool add_found(struct lc_host *host, const char *port, const struct addrinfo *found)
{
    char name[INET6_ADDRSTRLEN], record[INET6_ADDRSTRLEN + 8];
    const struct sockaddr_in *four = (const struct sockaddr_in *)found->ai_addr;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)found->ai_addr;

    if ((found->ai_family != AF_INET && found->ai_family != AF_INET6) ||
        inet_ntop(found->ai_family,
                  found->ai_family == AF_INET ? (const void *)&four->sin_addr : &six->sin6_addr,
                  name, sizeof name) == NULL)
        return true;
    snprintf(record, sizeof record, "%s %s", port, name);
    if (has_name(host->permits, LC_PERMIT_NET, record))
        return true;
    if (host->permits->size - host->permits->fixed > FOUND_MAX)
        forget_oldest(host->permits);
    return add_record(host, LC_PERMIT_NET, record);
}

bool lc_permits_found(struct lc_host *host, const char *name, const struct addrinfo *found)
{
    char plain[NAME_MAX_SIZE], port[8];
    const char *record;
    size_t at = 0;

    if (host->permits == NULL || !plain_host(name, plain))
        return true;
    while (at < host->permits->fixed &&
           (record = next_record(host->permits, LC_PERMIT_NET, &at)) != NULL) {
        if (!net_matches(record, plain, NULL) || strchr(record, ' ')[1] == '*')
            continue;
        snprintf(port, sizeof port, "%.*s", (int)strcspn(record, " "), record);
        for (const struct addrinfo *info = found; info != NULL; info = info->ai_next) {
            if (!add_found(host, port, info))
                return false;
        }
    }
    return true;
}

/* ---- chunks ---- */

void lc_permit_mode(lua_State *L, struct lc_host *host, int idx)
{
    const char *mode;

    if (host->permits == NULL || (host->permits->all & 1u << LC_PERMIT_LOAD))
        return;
    mode = luaL_optstring(L, idx, "t");
    if (lua_gettop(L) < idx)
        lua_settop(L, idx);
    lua_pushstring(L, strchr(mode, 't') != NULL ? "t" : "");
    lua_replace(L, idx);
}

void lc_permit_outside(lua_State *L, struct lc_host *host, const char *what)
{
    if (host->sandboxed)
        lc_raise(L, host, LC_PERMISSION_ERROR, "%s: not in a sandbox", what);
}

void lc_permit_descriptor(lua_State *L, struct lc_host *host, int fd, bool reads, const char *what)
{
    lc_permit_outside(L, host, what);
    if (host->permits != NULL && fd > 2 &&
        !lc_permits_has_all(host, reads ? LC_PERMIT_READ : LC_PERMIT_WRITE))
        lc_raise(L, host, LC_PERMISSION_ERROR, "%s: descriptor %d needs permission: %s", what, fd,
                 reads ? "read" : "write");
}
