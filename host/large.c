#include "large.h"

#include <stdint.h>
#include <sys/mman.h>

/* Of a large page; where they are larger, the kernel takes no notice. */
#define PAGE ((uintptr_t)2 * 1024 * 1024)

void *lc_large_alloc(size_t size)
{
    char *block = malloc(size);
#ifdef MADV_HUGEPAGE
    uintptr_t start = ((uintptr_t)block + PAGE - 1) & ~(PAGE - 1);
    uintptr_t end = ((uintptr_t)block + size) & ~(PAGE - 1);

    /* the whole pages in it; a kernel that cannot do it leaves them as they are */
    if (block != NULL)
        madvise(block + (start - (uintptr_t)block), end - start, MADV_HUGEPAGE);
#endif
    return block;
}
