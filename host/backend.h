/*
 * backend: libev's ways to wait, by name.
 * Owner: nobody; nothing is kept.
 */
#ifndef LC_BACKEND_H
#define LC_BACKEND_H

/* The flags for ev_loop_new; NULL: libev chooses. Negative: there is no such name. */
int lc_backend_flags(const char *backend);

/* The name of one; "closed": it is none. */
const char *lc_backend_name(unsigned flag);

#endif
