#include "screen.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "line_reader.h"

/* False: the descriptor takes no more. */
static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno == EAGAIN) {
            struct pollfd output = {fd, POLLOUT, 0};

            (void)poll(&output, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return false;
        } else if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return true;
}

/* Takes the line off the screen before the text is written. */
static void make_room(struct lc_display *display, const char *text, size_t size)
{
    struct lc_screen *screen = lc_container_of(display, struct lc_screen, display);

    if (!pthread_equal(screen->thread, pthread_self()))
        return;
    if (screen->reader != NULL && !screen->hidden) {
        screen->reader->type->hide(screen->reader);
        screen->hidden = true;
    }
    if (size > 0)
        screen->in_line = text[size - 1] != '\n';
}

static ssize_t stream_write(void *cookie, const char *data, size_t size)
{
    struct lc_screen_stream *stream = cookie;

    if (size == 0)
        return 0;
    make_room(&stream->screen->display, data, size);
    return write_all(stream->fd, data, size) ? (ssize_t)size : 0;
}

static void stream_install(struct lc_screen *screen, struct lc_screen_stream *stream, FILE **place,
                           int mode)
{
    static const cookie_io_functions_t functions = {NULL, stream_write, NULL, NULL};
    FILE *file;

    stream->screen = screen;
    stream->fd = fileno(*place);
    if (stream->fd < 0 || !isatty(stream->fd))
        return;
    file = fopencookie(stream, "w", functions);
    if (file == NULL)
        return;
    setvbuf(file, NULL, mode, mode == _IONBF ? 0 : BUFSIZ);
#ifdef __GLIBC__
    /* for who asks fileno whether it is a terminal; the stream itself does not use it */
    file->_fileno = stream->fd;
#endif
    fflush(*place);
    stream->place = place;
    stream->old = *place;
    *place = file;
}

static void stream_remove(struct lc_screen_stream *stream)
{
    FILE *file;

    if (stream->place == NULL)
        return;
    file = *stream->place;
    *stream->place = stream->old;
    stream->place = NULL;
    fclose(file);
}

void lc_screen_install(struct lc_screen *screen)
{
    memset(screen, 0, sizeof *screen);
    screen->thread = pthread_self();
    screen->display.make_room = make_room;
    stream_install(screen, &screen->streams[0], &stdout, _IOLBF);
    stream_install(screen, &screen->streams[1], &stderr, _IONBF);
}

void lc_screen_remove(struct lc_screen *screen)
{
    screen->reader = NULL;
    stream_remove(&screen->streams[0]);
    stream_remove(&screen->streams[1]);
}

void lc_screen_set_line(struct lc_screen *screen, struct lc_line_reader *reader)
{
    screen->reader = reader;
    screen->hidden = false;
}

void lc_screen_fresh_line(struct lc_screen *screen)
{
    fflush(stdout);
    if (screen->in_line)
        write_all(screen->streams[0].fd, "\n", 1);
    screen->in_line = false;
}

void lc_screen_restore(struct lc_screen *screen)
{
    if (screen->reader == NULL)
        return;
    lc_screen_fresh_line(screen);
    if (!screen->hidden)
        return;
    screen->hidden = false;
    screen->reader->type->show(screen->reader);
}
