/* Says when it began, in nanoseconds since the epoch, on the clock that the
   benchmark reads as well. Static, so that nothing is loaded before it looks. */
#include <stdio.h>
#include <time.h>

int main(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("kiln-bench began %lld%09ld\n", (long long)now.tv_sec, now.tv_nsec);
    return 0;
}
