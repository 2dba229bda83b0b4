/*
 * longjmp: for builds with ThreadSanitizer. It keeps a stack of the functions it is in, and takes off what a
 * longjmp leaves, but does not know the checked longjmp that Debian's Lua calls: each error and each wait would
 * leave its functions there, until there is no room. This one goes by way of the one it knows.
 */
#include <setjmp.h>

void __longjmp_chk(jmp_buf place, int value) __attribute__((noreturn, visibility("default")));

void __longjmp_chk(jmp_buf place, int value)
{
    longjmp(place, value);
}
