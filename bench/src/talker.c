/* Writes lines of 100 bytes, one by one and with some work before each, in turns
   to a file and to standard output. Says how long either took, how much of that
   it had a processor, and how often it waited while it wrote to standard output:
   others on the machine change the first only. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sink;

static void work(unsigned long amount) {
  for (unsigned long i = 0; i < amount; i++) sink += i;
}

static long long now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000LL + at.tv_nsec;
}

/* The shortest of some tries, so that others on the machine count for little. */
static unsigned long work_for(long long nanoseconds) {
  const unsigned long sample = 2000000;
  long long shortest = 1LL << 60;
  for (int i = 0; i < 10; i++) {
    long long begin = now();
    work(sample);
    if (now() - begin < shortest) shortest = now() - begin;
  }
  return sample * nanoseconds / shortest;
}

struct took {
  long long time, processor;
  long waits;
};

static long long nanoseconds(struct timeval at) {
  return at.tv_sec * 1000000000LL + at.tv_usec * 1000LL;
}

static struct took used(void) {
  struct rusage all;
  getrusage(RUSAGE_SELF, &all);
  return (struct took){now(), nanoseconds(all.ru_utime) + nanoseconds(all.ru_stime),
                       all.ru_nvcsw};
}

static struct took write_lines(int out, long from, long count, unsigned long amount) {
  char line[101];
  struct took before = used();
  for (long n = from; n < from + count; n++) {
    work(amount);
    snprintf(line, sizeof line, "line %09ld %084d\n", n, 0);
    if (write(out, line, 100) != 100) exit(1);
  }
  struct took after = used();
  return (struct took){after.time - before.time, after.processor - before.processor,
                       after.waits - before.waits};
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  long count = atol(argv[1]), rounds = atol(argv[2]), a_second = atol(argv[3]);
  unsigned long amount = work_for(1000000000LL / a_second);
  for (long round = 0; round < rounds; round++) {
    int file = open("/tmp/lines", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0) return 1;
    struct took file_took = write_lines(file, 0, count, amount);
    close(file);
    struct took log_took = write_lines(1, round * count, count, amount);
    printf("kiln-bench wrote %lld %lld %lld %lld %ld\n", file_took.time, log_took.time,
           file_took.processor, log_took.processor, log_took.waits);
    fflush(stdout);
  }
  return 0;
}
