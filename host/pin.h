/*
 * pin: keeps this library in memory. A Lua state that closes unloads the modules it has loaded; a thread of
 * ours that is not waited for would then return into nothing.
 * Context: any thread; before such a thread is started.
 */
#ifndef LC_PIN_H
#define LC_PIN_H

void lc_pin_library(void);

#endif
