/* Threads: a pool of workers in C whose results tasks await, and two hosts in two threads that send
 * each other messages. */
#include <lucio.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the pool ---- */

struct job {
    struct job *next;
    lucio *host; /* a reference of the job's own */
    lucio_future *future;
    long long n, sum;
};

static struct pool {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct job *first;
    int closing;
} pool = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, 0};

/* In the host's thread; host is NULL when it was closed meanwhile. */
static void deliver(lucio *host, void *data)
{
    struct job *job = data;
    struct lucio_value sum = lucio_integer(job->sum);

    if (host != NULL)
        lucio_future_set_result(job->future, 1, &sum);
    lucio_future_free(job->future);
    free(job);
}

static void *work(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&pool.mutex);
    for (;;) {
        struct job *job = pool.first;
        lucio *host;

        if (job == NULL && pool.closing)
            break;
        if (job == NULL) {
            pthread_cond_wait(&pool.changed, &pool.mutex);
            continue;
        }
        pool.first = job->next;
        pthread_mutex_unlock(&pool.mutex);
        for (long long i = 1; i <= job->n; i++)
            job->sum += i;
        host = job->host;
        if (lucio_post(host, deliver, job) != LUCIO_OK)
            abort();
        lucio_release(host);
        pthread_mutex_lock(&pool.mutex);
    }
    pthread_mutex_unlock(&pool.mutex);
    return NULL;
}

/* sum(n) -> 1 + 2 + ... + n, added up in another thread. Suspends. */
static int sum(lucio_call *call, void *data)
{
    struct job *job;
    lucio_future *future;
    long long n;

    (void)data;
    if (!lucio_call_integer(call, 1, &n))
        return lucio_bad_argument(call);
    job = calloc(1, sizeof *job);
    if (job == NULL || lucio_future_new(lucio_call_host(call), &job->future) != LUCIO_OK) {
        free(job);
        return lucio_raise(call, "RuntimeError", "no memory");
    }
    future = job->future;
    job->host = lucio_retain(lucio_call_host(call));
    job->n = n;
    pthread_mutex_lock(&pool.mutex);
    job->next = pool.first;
    pool.first = job;
    pthread_cond_signal(&pool.changed);
    pthread_mutex_unlock(&pool.mutex);
    /* the result can only come in a later tick: the handle is good until then */
    return lucio_await(call, future, NULL, NULL);
}

static void run_pool(lucio *host)
{
    static const struct lucio_entry entries[] = {{"sum", sum}, {NULL, NULL}};
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    lucio_add_module(host, "pool", entries, NULL);
    if (lucio_run_string(host,
                         "local lucio, pool = require 'lucio', require 'pool'\n"
                         "local function add(n) return function() return pool.sum(n) end end\n"
                         "local sums = lucio.gather(add(10), add(100), add(1000))\n"
                         "print('sums:', sums[1], sums[2], sums[3])",
                         NULL) != LUCIO_OK)
        fprintf(stderr, "%s\n", lucio_last_error(host)->message);
    pthread_mutex_lock(&pool.mutex);
    pool.closing = 1;
    pthread_cond_broadcast(&pool.changed);
    pthread_mutex_unlock(&pool.mutex);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

/* ---- two hosts ---- */

/* One end of the line: its script puts messages into the other end's queue. */
struct end {
    lucio *host;
    lucio_ref *queue; /* of the messages that come */
    struct end *other;
};

struct message {
    struct end *to;
    char text[32];
};

static void receive(lucio *host, void *data)
{
    struct message *message = data;
    struct lucio_value text = lucio_string(message->text);

    if (host != NULL)
        lucio_call_method(message->to->queue, "put_nowait", 1, &text, NULL);
    free(message);
}

/* send(text) */
static int send_text(lucio_call *call, void *data)
{
    struct end *end = data;
    struct message *message;
    const char *text;
    size_t length;

    if (!lucio_call_string(call, 1, &text, &length) || length >= sizeof message->text)
        return lucio_bad_argument(call);
    message = malloc(sizeof *message);
    if (message == NULL)
        return lucio_raise(call, "RuntimeError", "no memory");
    message->to = end->other;
    memcpy(message->text, text, length + 1);
    if (lucio_post(end->other->host, receive, message) != LUCIO_OK)
        free(message);
    return lucio_return(call, 0, NULL);
}

static const char ping[] = "local line = require 'line'\n"
                           "for i = 1, 3 do\n"
                           "  line.send('ping ' .. i)\n"
                           "  print('first host got', inbox:get())\n"
                           "end\n";
static const char pong[] = "local line = require 'line'\n"
                           "for i = 1, 3 do\n"
                           "  local text = inbox:get()\n"
                           "  line.send('answer to ' .. text)\n"
                           "end\n";

static void open_end(struct end *end, struct end *other)
{
    static const struct lucio_entry entries[] = {{"send", send_text}, {NULL, NULL}};
    struct lucio_value queue;

    lucio_open(&end->host, NULL);
    lucio_retain(end->host); /* the other thread posts to it */
    end->other = other;
    lucio_add_module(end->host, "line", entries, end);
    lucio_run_string(end->host, "inbox = require('lucio').Queue()", NULL);
    lucio_get_global(end->host, "inbox", &queue);
    end->queue = queue.as.object;
}

static void close_end(struct end *end)
{
    lucio_ref_free(end->queue);
    lucio_close(end->host);
}

/* Both hosts are open before either of them sends. */
static pthread_barrier_t opened;

static void *second_host(void *data)
{
    struct end *end = data;

    open_end(end, end->other);
    pthread_barrier_wait(&opened);
    if (lucio_run_string(end->host, pong, NULL) != LUCIO_OK)
        fprintf(stderr, "%s\n", lucio_last_error(end->host)->message);
    close_end(end);
    return NULL;
}

int main(void)
{
    struct end first = {0}, second = {0};
    pthread_t thread;
    lucio *host;

    if (lucio_open(&host, NULL) != LUCIO_OK)
        return 1;
    run_pool(host);
    lucio_close(host);

    pthread_barrier_init(&opened, NULL, 2);
    second.other = &first;
    pthread_create(&thread, NULL, second_host, &second);
    open_end(&first, &second);
    pthread_barrier_wait(&opened);
    if (lucio_run_string(first.host, ping, NULL) != LUCIO_OK)
        fprintf(stderr, "%s\n", lucio_last_error(first.host)->message);
    pthread_join(thread, NULL);
    close_end(&first);
    lucio_release(first.host);
    lucio_release(second.host);
    return 0;
}
