#include "ask.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control.h"

/* The request is repeated, for one signal may hide another; then the process counts as busy. */
#define TRIES       4
#define TRY_SECONDS 0.5
/* So many in all where the process gets no processor. */
#define TRIES_MAX 60
/* An answer that has begun has so long, where a second question would do the same again. */
#define ANSWER_SECONDS 10
/* Connections looked at in a try: an answer to an earlier question may come first. */
#define LOOKS 4

/* An open question: a socket that waits for the answer. */
struct question {
    int pid;
    int listener;
    struct sockaddr_un address;
    enum lc_request request;
    char *answer;
    size_t length;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    interrupted = number;
}

static bool __attribute__((format(printf, 1, 2))) fail(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    fputs("lucio: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    return false;
}

/* ---- the process that is asked ---- */

/* Reads a file of /proc/PID as text. */
static bool read_proc(int pid, const char *name, char *text, size_t size)
{
    char path[64];
    FILE *file;
    size_t n;

    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    n = fread(text, 1, size - 1, file);
    fclose(file);
    text[n] = '\0';
    return n > 0;
}

/* Whether the process handles the signal that asks. */
static bool handles_question(int pid)
{
    unsigned long long caught = 0;
    char status[4096];
    const char *field;

    if (read_proc(pid, "status", status, sizeof status) &&
        (field = strstr(status, "\nSigCgt:")) != NULL)
        caught = strtoull(field + 8, NULL, 16);
    return (caught >> (SIGURG - 1) & 1) != 0;
}

/* The children of a process that handle the question: the workers of a supervisor, as a text. */
static void list_workers(int pid, char *text, size_t size)
{
    char name[64], children[4096], *next = children;
    size_t length = 0;
    long child;

    text[0] = '\0';
    snprintf(name, sizeof name, "task/%d/children", pid);
    if (!read_proc(pid, name, children, sizeof children))
        return;
    while ((child = strtol(next, &next, 10)) > 0 && length < size) {
        if (handles_question((int)child))
            length += (size_t)snprintf(text + length, size - length, " %ld", child);
    }
}

/* Whether the process is this user's and can be asked. */
static bool check_process(int pid)
{
    char path[64], workers[256];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%d", pid);
    if (stat(path, &st) != 0)
        return fail("there is no process %d", pid);
    if (st.st_uid != geteuid())
        return fail("process %d belongs to another user", pid);
    if (handles_question(pid))
        return true;
    list_workers(pid, workers, sizeof workers);
    if (workers[0] != '\0')
        return fail("process %d runs no script; ask one of its workers:%s", pid, workers);
    return fail("process %d does not answer questions: it is no lucio command, or one with "
                "--no-control",
                pid);
}

/* The state of the process's main thread, a letter as in ps, and the processor time that it has had.
 * 0: it has ended. */
static char read_state(int pid, double *seconds)
{
    char name[64], text[1024], *after = NULL;
    unsigned long user, system;

    *seconds = 0;
    snprintf(name, sizeof name, "task/%d/stat", pid);
    if (read_proc(pid, name, text, sizeof text))
        after = strrchr(text, ')');
    if (after == NULL || after[1] == '\0')
        return '\0';
    if (sscanf(after + 3, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &user, &system) == 2)
        *seconds = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    return after[2];
}

static bool fail_silent(int pid)
{
    double seconds;

    switch (read_state(pid, &seconds)) {
    case '\0':
        return fail("process %d has ended", pid);
    case 'T':
    case 't':
        return fail("process %d does not answer: it is stopped", pid);
    case 'R':
        return fail("process %d does not answer within %g s: it is busy in a C function", pid,
                    TRIES * TRY_SECONDS);
    default:
        return fail("process %d does not answer within %g s: a call blocks it, or it looks for "
                    "the question in another directory (XDG_RUNTIME_DIR)",
                    pid, TRIES * TRY_SECONDS);
    }
}

/* ---- the question ---- */

/* Removes the sockets of askers that were killed. */
static void remove_stale(const char *directory)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);

        if (pid > 0 && strcmp(end, ".sock") == 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}

/* Opens the socket in the first directory that will do. */
static bool question_open(struct question *question)
{
    char directory[sizeof question->address.sun_path];

    question->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (question->listener < 0)
        return fail("cannot make a socket: %s", strerror(errno));
    umask(077);
    for (int i = 0; lc_control_directory(i, directory, sizeof directory); i++) {
        if (directory[0] == '\0' || (mkdir(directory, 0700) != 0 && errno != EEXIST) ||
            !lc_control_is_private(directory) ||
            !lc_control_address(directory, (int)getpid(), &question->address))
            continue;
        remove_stale(directory);
        unlink(question->address.sun_path);
        if (bind(question->listener, (struct sockaddr *)&question->address,
                 sizeof question->address) == 0 &&
            listen(question->listener, 4) == 0)
            return true;
        unlink(question->address.sun_path);
    }
    return fail("there is no directory for a socket that is this user's alone: neither "
                "$XDG_RUNTIME_DIR/lucio nor /tmp/lucio-%u",
                (unsigned)geteuid());
}

static void question_close(struct question *question)
{
    if (question->listener < 0)
        return;
    close(question->listener);
    question->listener = -1;
    unlink(question->address.sun_path);
}

/* The file that comes through the connection as the answer to this request, or -1. */
static int receive_file(int from, enum lc_request request)
{
    int file = -1;
    char byte, space[CMSG_SPACE(sizeof file)];
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct pollfd ready = {from, POLLIN, 0};
    struct cmsghdr *header;

    if (poll(&ready, 1, ANSWER_SECONDS * 1000) != 1 ||
        recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1)
        return -1;
    header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof file))
        memcpy(&file, CMSG_DATA(header), sizeof file);
    if (file >= 0 && byte != (char)request) {
        close(file);
        return -1;
    }
    return file;
}

/* Reads the answer that a connection brings. False: it is none. */
static bool read_answer(struct question *question, int from)
{
    struct stat st;
    int file;

    if (!lc_control_peer_is(from, question->pid))
        return false;
    file = receive_file(from, question->request);
    if (file < 0)
        return false;
    if (fstat(file, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
        (question->answer = malloc((size_t)st.st_size)) != NULL) {
        while (question->length < (size_t)st.st_size) {
            ssize_t n = pread(file, question->answer + question->length,
                              (size_t)st.st_size - question->length, (off_t)question->length);

            if (n <= 0)
                break;
            question->length += (size_t)n;
        }
    }
    close(file);
    return question->length > 0;
}

/* How long a try lasts, TRY_SECONDS on the average: askers that began together do not stay in step, where
 * the signal of one would hide those of the others each time. */
static int try_milliseconds(int number)
{
    unsigned spread = ((unsigned)getpid() * 37 + (unsigned)number * 61) % 100;

    return (int)(TRY_SECONDS * (double)(500 + 10 * spread));
}

/* Queues the signal and waits so long for the answer. */
static bool try_once(struct question *question, uintptr_t value, int milliseconds)
{
    struct pollfd ready = {question->listener, POLLIN, 0};
    union sigval signal_value = {.sival_ptr = (void *)value};
    bool answered = false;

    if (sigqueue(question->pid, SIGURG, signal_value) != 0)
        return false;
    for (int i = 0; i < LOOKS && !answered; i++) {
        int from;

        if (poll(&ready, 1, milliseconds) != 1)
            return false;
        from = accept4(question->listener, NULL, NULL, SOCK_CLOEXEC);
        if (from < 0)
            return false;
        answered = read_answer(question, from);
        close(from);
    }
    return answered;
}

/* Whether the process could have answered since it had this processor time: it has run since, or it
 * does not want to. On a busy machine it may have had no turn. */
static bool had_its_turn(int pid, double *since)
{
    double seconds;
    char state = read_state(pid, &seconds);

    if (state == 'R' && seconds - *since < TRY_SECONDS / 2)
        return false;
    *since = seconds;
    return true;
}

/* Gets the answer into question->answer. False: there was none, which has been said. */
static bool ask(struct question *question, enum lc_request request, uint32_t id)
{
    bool answered = false;
    double since;
    int tries = 0;

    free(question->answer);
    question->answer = NULL;
    question->length = 0;
    question->request = request;
    if (!question_open(question)) {
        question->listener = -1;
        return false;
    }
    read_state(question->pid, &since);
    for (int i = 0; i < TRIES_MAX && tries < TRIES && !answered && !interrupted; i++) {
        answered = try_once(question, lc_request_value(request, id), try_milliseconds(i));
        if (!answered && had_its_turn(question->pid, &since))
            tries++;
    }
    question_close(question);
    if (interrupted)
        return false;
    return answered || fail_silent(question->pid);
}

/* Asks and prints the answer. */
static int ask_and_print(struct question *question, enum lc_request request, uint32_t id)
{
    bool ok;

    if (!ask(question, request, id))
        return EXIT_FAILURE;
    ok = question->answer[0] == LC_ANSWER_OK;
    if (!ok)
        fputs("lucio: ", stderr);
    fwrite(question->answer + 1, 1, question->length - 1, ok ? stdout : stderr);
    if (fflush(stdout) != 0)
        fail("cannot write: %s", strerror(errno));
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- finding a task ---- */

/* The number that the word is, 0 when it is none. */
static unsigned long number_of(const char *word)
{
    char *end;
    unsigned long number;

    if (word[0] < '0' || word[0] > '9')
        return 0;
    errno = 0;
    number = strtoul(word, &end, 10);
    return *end == '\0' && errno == 0 && number <= UINT32_MAX ? number : 0;
}

/* Finds the task of that name, or else of that number, in the answer's lines. 0: it has been said why
 * there is none. */
static uint32_t find_task(struct question *question, const char *word)
{
    uint32_t named = 0, numbered = 0;
    const char *line = question->answer + 1, *end = question->answer + question->length;
    int count = 0;

    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        uint32_t id = (uint32_t)strtoul(line, NULL, 10);
        const char *name = memchr(line, ' ', (size_t)(end - line));

        if (stop == NULL || name == NULL || name > stop)
            break;
        name++;
        if ((size_t)(stop - name) == strlen(word) &&
            strncmp(name, word, (size_t)(stop - name)) == 0) {
            named = id;
            count++;
        }
        if (id == number_of(word))
            numbered = id;
        line = stop + 1;
    }
    if (count > 1)
        fail("%d tasks of process %d are called %s; lucio ps %d has their numbers", count,
             question->pid, word, question->pid);
    else if (count == 0 && numbered == 0)
        fail("process %d has no task %s", question->pid, word);
    return count == 1 ? named : count == 0 ? numbered : 0;
}

static int cancel(struct question *question, const char *word)
{
    uint32_t id;

    if (!ask(question, LC_ASK_NAMES, 0))
        return EXIT_FAILURE;
    id = find_task(question, word);
    return id != 0 ? ask_and_print(question, LC_ASK_CANCEL, id) : EXIT_FAILURE;
}

/* ---- the command line ---- */

bool lc_ask_is_meant(int argc, char **argv)
{
    struct stat st;

    if (argc < 2 || (strcmp(argv[1], "ps") != 0 && strcmp(argv[1], "pstree") != 0 &&
                     strcmp(argv[1], "cancel") != 0))
        return false;
    return stat(argv[1], &st) != 0 || S_ISDIR(st.st_mode) || access(argv[1], R_OK) != 0;
}

int lc_ask(int argc, char **argv)
{
    struct question question = {.listener = -1};
    bool is_cancel = strcmp(argv[1], "cancel") == 0;
    struct sigaction action;
    int status;

    question.pid = argc > 2 ? (int)number_of(argv[2]) : 0;
    if (argc != (is_cancel ? 4 : 3) || question.pid <= 0) {
        fprintf(stderr, "usage: lucio %s PID%s\n", argv[1], is_cancel ? " TASK" : "");
        return EXIT_FAILURE;
    }
    if (!check_process(question.pid))
        return EXIT_FAILURE;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    if (is_cancel)
        status = cancel(&question, argv[3]);
    else
        status =
            ask_and_print(&question, strcmp(argv[1], "ps") == 0 ? LC_ASK_LIST : LC_ASK_TREE, 0);
    free(question.answer);
    return interrupted ? 128 + interrupted : status;
}
