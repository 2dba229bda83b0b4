/*
 * worker_program: where the program of worker processes is.
 */
#ifndef LC_WORKER_PROGRAM_H
#define LC_WORKER_PROGRAM_H

/* Its path, by malloc; NULL and errno, ENOENT: it is not there. It is looked for beside the library, module
 * or command that this code is in, as the build leaves it; in libexec/lucio of the directories above; and
 * where it was to be installed. `told`: the path, if somebody has said it, or NULL. */
char *lc_worker_program(const char *told);

#endif
