#include "worker.h"

#include <pthread.h>
#include <stdlib.h>

#include <lauxlib.h>

#include "core.h"
#include "job.h"
#include "settings.h"
#include "workplace.h"

static void open_worker(struct lc_worker *worker)
{
    struct lc_workplace *place = calloc(1, sizeof *place);

    pthread_setname_np(pthread_self(), "lucio-worker");
    lc_worker_set_state(worker, place);
    if (place == NULL)
        return;
    place->settings = lc_pool_data(lc_worker_pool(worker));
    place->index = (int)lc_worker_index(worker);
    place->is_thread = true;
    lc_workplace_open(place);
}

static void run(struct lc_worker *worker, struct lc_pool_job *queued)
{
    struct lc_job *job = lc_container_of(queued, struct lc_job, queued);
    struct lc_workplace *place = lc_worker_state(worker);

    job->failed = place == NULL || !lc_workplace_run(place, job);
    if (!lc_errand_post(&job->errand))
        lc_job_free(job);
}

static void close_worker(struct lc_worker *worker)
{
    struct lc_workplace *place = lc_worker_state(worker);

    if (place != NULL)
        lc_workplace_close(place);
    free(place);
}

static void free_settings(void *data)
{
    lc_settings_free(data);
}

static const struct lc_pool_type threads_type = {
    .open = open_worker, .run = run, .close = close_worker, .free = free_settings};

struct lc_pool *lc_threads_new(lua_State *L, struct lc_host *host, const char *name, unsigned max,
                               int initializer)
{
    struct lc_settings *settings =
        lc_settings_new(L, host, "ThreadPoolExecutor", name, initializer);
    struct lc_pool *pool = lc_pool_new(host, &threads_type, settings, max);

    if (pool == NULL)
        luaL_error(L, "not enough memory");
    return pool;
}
