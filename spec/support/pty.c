/*
 * pty: runs a program on a pseudo-terminal, types what it is told to, and prints what the program
 * showed. It goes by what appears on the screen, not by time:
 *
 *   pty SECONDS COLUMNS PROGRAM ARGUMENT... <steps
 *
 * A step is a letter, a number of bytes, a newline, and so many bytes: `E` waits until that text
 * appears behind what earlier steps found, `S` types it, `C` runs it as a shell command with the
 * program's process id in $PID, `W` makes the screen so many columns wide, `H` takes the
 * terminal away. At the end it waits for the program. All that the program showed goes to
 * stdout, its exit status is pty's (128 + signal). 97: a step's text did not appear in time or the
 * program did not end, which is said on stderr; 96: anything else went wrong.
 */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STATUS_BROKEN = 96, STATUS_LATE = 97 };

static struct screen {
    char *text;
    size_t size;
    size_t capacity;
    size_t found; /* up to here steps have found their texts */
} screen;

static int terminal = -1;
static pid_t child = -1;
static struct timespec end_time;

static void finish(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the screen; with a format also what went wrong, and ends the program. */
static void finish(int status, const char *format, ...)
{
    va_list args;

    fwrite(screen.text, 1, screen.size, stdout);
    fflush(stdout);
    if (format != NULL) {
        va_start(args, format);
        fprintf(stderr, "pty: ");
        vfprintf(stderr, format, args);
        fprintf(stderr, "\n");
        va_end(args);
        if (child > 0)
            kill(child, SIGKILL);
    }
    exit(status);
}

static int milliseconds_left(void)
{
    struct timespec now;
    long left;

    clock_gettime(CLOCK_MONOTONIC, &now);
    left = (end_time.tv_sec - now.tv_sec) * 1000 + (end_time.tv_nsec - now.tv_nsec) / 1000000;
    return left > 0 ? (int)left : 0;
}

/* Takes what the program shows next. False: it has closed the terminal. */
static int take_output(const char *what)
{
    struct pollfd output = {terminal, POLLIN, 0};
    ssize_t n;

    if (poll(&output, 1, milliseconds_left()) == 0)
        finish(STATUS_LATE, "no %s in time; after byte %zu the screen has: %.*s", what,
               screen.found, (int)(screen.size - screen.found), screen.text + screen.found);
    if (screen.size + 4096 > screen.capacity) {
        screen.capacity = screen.capacity * 2 + 8192;
        screen.text = realloc(screen.text, screen.capacity);
        if (screen.text == NULL)
            abort();
    }
    n = read(terminal, screen.text + screen.size, 4096);
    if (n < 0 && errno == EINTR)
        return 1;
    if (n <= 0)
        return 0;
    screen.size += (size_t)n;
    return 1;
}

static void expect(const char *text, size_t size)
{
    for (;;) {
        char *found = screen.size == screen.found ? NULL
                                                  : memmem(screen.text + screen.found,
                                                           screen.size - screen.found, text, size);

        if (found != NULL) {
            screen.found = (size_t)(found - screen.text) + size;
            return;
        }
        if (!take_output(text))
            finish(STATUS_LATE, "the program ended before it showed: %s; the screen has: %.*s",
                   text, (int)(screen.size - screen.found), screen.text + screen.found);
    }
}

static void type(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(terminal, text, size);

        if (n < 0 && errno != EINTR)
            finish(STATUS_BROKEN, "cannot type: %s", strerror(errno));
        if (n > 0) {
            text += n;
            size -= (size_t)n;
        }
    }
}

static int has_ended(void)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid == child;
}

/* Closes the terminal; the program then has to end by itself. */
static void hang_up(void)
{
    struct timespec pause = {0, 10 * 1000 * 1000};

    close(terminal);
    terminal = -1;
    while (!has_ended()) {
        if (milliseconds_left() == 0)
            finish(STATUS_LATE, "no end of the program in time");
        nanosleep(&pause, NULL);
    }
}

static void set_width(const char *columns)
{
    struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)atoi(columns)};

    if (ioctl(terminal, TIOCSWINSZ, &size) != 0)
        finish(STATUS_BROKEN, "cannot set the width: %s", strerror(errno));
}

static void run_steps(void)
{
    char kind;
    size_t size;

    while (scanf(" %c %zu", &kind, &size) == 2) {
        char *text = calloc(1, size + 1);

        if (text == NULL || getchar() != '\n' || fread(text, 1, size, stdin) != size)
            finish(STATUS_BROKEN, "a step is not complete");
        if (kind == 'E')
            expect(text, size);
        else if (kind == 'S')
            type(text, size);
        else if (kind == 'W')
            set_width(text);
        else if (kind == 'H')
            hang_up();
        else if (kind != 'C' || system(text) != 0)
            finish(STATUS_BROKEN, "step failed: %c %s", kind, text);
        free(text);
    }
}

int main(int argc, char **argv)
{
    struct winsize size = {.ws_row = 24};
    char pid[32];
    int status;

    if (argc < 4)
        finish(STATUS_BROKEN, "pty SECONDS COLUMNS PROGRAM ARGUMENT...");
    size.ws_col = (unsigned short)atoi(argv[2]);
    clock_gettime(CLOCK_MONOTONIC, &end_time);
    end_time.tv_sec += atoi(argv[1]);
    child = forkpty(&terminal, NULL, NULL, &size);
    if (child < 0)
        finish(STATUS_BROKEN, "forkpty: %s", strerror(errno));
    if (child == 0) {
        execvp(argv[3], argv + 3);
        _exit(127);
    }
    snprintf(pid, sizeof pid, "%d", (int)child);
    setenv("PID", pid, 1);
    run_steps();
    while (terminal >= 0 && take_output("end of the program"))
        continue;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    finish(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), NULL);
}
