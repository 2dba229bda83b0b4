/* A plug-in host: each plug-in has a host of its own, with limits of memory and time, and is loaded
 * again when its file changes. */
#include <fcntl.h>
#include <lucio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct plugin {
    char path[64];
    struct timespec changed;
    lucio *host;
};

/* Nothing that reaches out of the plug-in. */
static const unsigned libraries =
    LUCIO_LIB_BASE | LUCIO_LIB_TABLE | LUCIO_LIB_STRING | LUCIO_LIB_MATH;

static void on_log(lucio *host, const char *text, size_t length, void *data)
{
    (void)host;
    (void)data;
    fwrite(text, 1, length, stdout);
}

/* Loads the plug-in if it is new or has changed. */
static void refresh(struct plugin *plugin)
{
    struct lucio_config config;
    struct stat now;

    if (stat(plugin->path, &now) != 0 ||
        memcmp(&now.st_mtim, &plugin->changed, sizeof now.st_mtim) == 0)
        return;
    plugin->changed = now.st_mtim;
    lucio_close(plugin->host);
    lucio_config_init(&config);
    config.libraries = libraries;
    config.memory_limit = 4 << 20;
    config.step_instructions = 100000;
    config.on_log = on_log;
    if (lucio_open(&plugin->host, &config) != LUCIO_OK)
        abort();
    if (lucio_run_file(plugin->host, plugin->path, 0, NULL, NULL) != LUCIO_OK)
        printf("  not loaded: %s\n", lucio_last_error(plugin->host)->message);
}

/* Calls the plug-in's global function `handle`. */
static void handle(struct plugin *plugin, const char *request)
{
    struct lucio_value function, argument = lucio_string(request);
    lucio_future *task;

    refresh(plugin);
    printf("%s\n", request);
    lucio_get_global(plugin->host, "handle", &function);
    if (function.type != LUCIO_OBJECT) {
        printf("  there is no handler\n");
        return;
    }
    if (lucio_spawn(plugin->host, function.as.object, NULL, 1, &argument, &task) == LUCIO_OK &&
        lucio_run(plugin->host, task) == LUCIO_OK)
        printf("  answer: %s\n", lucio_future_result(task, 0).as.string.data);
    else
        printf("  failed: %s\n", lucio_last_error(plugin->host)->message);
    lucio_ref_free(function.as.object);
    lucio_future_free(task);
}

/* Writes a new version of the plug-in, with a date of its own. */
static void write_version(struct plugin *plugin, const char *code)
{
    static long long seconds = 1000000000;
    struct timespec times[2] = {{.tv_sec = ++seconds}, {.tv_sec = seconds}};
    FILE *file = fopen(plugin->path, "w");

    fputs(code, file);
    fclose(file);
    utimensat(AT_FDCWD, plugin->path, times, 0);
}

int main(void)
{
    char directory[] = "/tmp/lucio-plugins-XXXXXX";
    struct plugin plugin = {.path = "plugin.lua"};

    if (chdir(mkdtemp(directory)) != 0)
        return 1;
    write_version(&plugin, "function handle(text) return text:upper() end");
    handle(&plugin, "first version");
    write_version(&plugin, "function handle(text) while true do end end");
    handle(&plugin, "an endless loop");
    write_version(&plugin, "function handle(text) while true do text = text .. text end end");
    handle(&plugin, "too much memory");
    write_version(&plugin, "function handle(text) return tostring(io) .. tostring(os) end");
    handle(&plugin, "reaching out");
    write_version(&plugin, "function handle(text) return end end");
    handle(&plugin, "a wrong syntax");
    write_version(&plugin,
                  "function handle(text) return require('lucio').sleep(0.01, 'slept') end");
    handle(&plugin, "and a version that waits");
    lucio_close(plugin.host);
    unlink(plugin.path);
    rmdir(directory);
    return 0;
}
