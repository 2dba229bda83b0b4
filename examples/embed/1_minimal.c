/* The smallest program: runs a script and takes its result. */
#include <lucio.h>
#include <stdio.h>

int main(void)
{
    lucio *host;
    lucio_future *task;

    if (lucio_open(&host, NULL) != LUCIO_OK)
        return 1;
    if (lucio_run_string(
            host,
            "local lucio = require 'lucio'\n"
            "local results = lucio.gather(function() return lucio.sleep(0.02, 40) end,\n"
            "                             function() return lucio.sleep(0.01, 2) end)\n"
            "return results[1] + results[2]",
            &task) == LUCIO_OK)
        printf("the answer is %lld\n", lucio_future_result(task, 0).as.integer);
    else
        fprintf(stderr, "%s\n", lucio_last_error(host)->message);
    lucio_future_free(task);
    return lucio_close(host);
}
