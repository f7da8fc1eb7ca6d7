/* Writes lines of 100 bytes, one by one and with some work before each, in turns
   to a file and to standard output, and says how long either took. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static long long write_lines(int out, long from, long count, unsigned long amount) {
  char line[101];
  long long begin = now();
  for (long n = from; n < from + count; n++) {
    work(amount);
    snprintf(line, sizeof line, "line %09ld %084d\n", n, 0);
    if (write(out, line, 100) != 100) exit(1);
  }
  return now() - begin;
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  long count = atol(argv[1]), rounds = atol(argv[2]), a_second = atol(argv[3]);
  unsigned long amount = work_for(1000000000LL / a_second);
  for (long round = 0; round < rounds; round++) {
    int file = open("/tmp/lines", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0) return 1;
    long long to_file = write_lines(file, 0, count, amount);
    close(file);
    long long to_log = write_lines(1, round * count, count, amount);
    printf("kiln-bench wrote %lld %lld\n", to_file, to_log);
    fflush(stdout);
  }
  return 0;
}
