/* A program whose loop is poll(2): a descriptor and a timeout stand for all of lucio. */
#include <lucio.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static const char script[] = "local lucio = require 'lucio'\n"
                             "local write = ...\n"
                             "for i = 1, 3 do\n"
                             "  lucio.sleep(0.01)\n"
                             "  write('line ' .. i .. '\\n')\n"
                             "end\n";

/* write(text): into the pipe whose other end the program polls. */
static int write_line(lucio_call *call, void *data)
{
    const char *text;
    size_t length;

    if (!lucio_call_string(call, 1, &text, &length))
        return lucio_bad_argument(call);
    if (write(*(int *)data, text, length) != (ssize_t)length)
        return lucio_raise(call, "OSError", "the pipe is full");
    return lucio_return(call, 0, NULL);
}

int main(void)
{
    struct pollfd polled[2] = {{.events = POLLIN}, {.events = POLLIN}};
    struct lucio_value argument;
    lucio_ref *function, *writer;
    lucio_future *task;
    lucio *host;
    int ends[2];

    if (pipe(ends) != 0 || lucio_open(&host, NULL) != LUCIO_OK)
        return 1;
    lucio_function_new(host, "write", write_line, &ends[1], NULL, &writer);
    argument = lucio_object(writer);
    lucio_load_string(host, script, sizeof script - 1, "=script", &function);
    lucio_spawn(host, function, NULL, 1, &argument, &task);
    polled[0].fd = ends[0];
    polled[1].fd = lucio_fd(host);
    while (lucio_future_status(task) == LUCIO_PENDING) {
        double timeout = lucio_timeout(host);

        /* poll counts whole milliseconds: rounded up */
        poll(polled, 2, timeout < 0 ? -1 : (int)(timeout * 1000 + 0.999));
        if (polled[0].revents & POLLIN) {
            char text[64];
            ssize_t length = read(ends[0], text, sizeof text);

            printf("the program read: %.*s", (int)length, text);
        }
        lucio_step(host);
    }
    printf("the script ended: %s\n", lucio_status_text(lucio_future_status(task)));
    lucio_future_free(task);
    lucio_ref_free(function);
    lucio_ref_free(writer);
    lucio_close(host);
    close(ends[0]);
    close(ends[1]);
    return 0;
}
