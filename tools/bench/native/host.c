/*
 * What the host's own kernel takes for the faults that the benches simulate, in nanoseconds, as one line of JSON.
 *
 * Every figure is the best of several rounds: the yardstick must not be lengthened by somebody else's work.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5
#define FAULTS 16384
#define FORKED 10000
#define LOCKED 256

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static char *fresh(size_t pages, size_t page)
{
	char *p = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	/* One fault a page, as UVM takes them. */
	madvise(p, pages * page, MADV_NOHUGEPAGE);
	return p;
}

static double touch(volatile char *p, size_t pages, size_t page)
{
	double start = now();

	for (size_t i = 0; i < pages; i++)
		p[i * page] = 1;
	return now() - start;
}

static void best(double *figure, double value)
{
	if (*figure == 0 || value < *figure)
		*figure = value;
}

static double lock(char *p, size_t bytes)
{
	double start = now();

	if (mlock(p, bytes) != 0) {
		perror("mlock");
		exit(1);
	}
	start = now() - start;
	munlock(p, bytes);
	return start;
}

int main(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	double zero = 0, cow = 0, forked = 0, resident = 0, untouched = 0;

	for (int round = 0; round < ROUNDS; round++) {
		char *p = fresh(FAULTS, page);
		int ends[2], status;
		double taken;
		pid_t pid;

		best(&zero, touch(p, FAULTS, page) / FAULTS);
		if (pipe(ends) != 0)
			return 1;
		pid = fork();
		if (pid == 0) {
			taken = touch(p, FAULTS, page) / FAULTS;
			_exit(write(ends[1], &taken, sizeof taken) == sizeof taken ? 0 : 1);
		}
		if (read(ends[0], &taken, sizeof taken) != sizeof taken || waitpid(pid, &status, 0) != pid)
			return 1;
		best(&cow, taken);
		close(ends[0]);
		close(ends[1]);
		munmap(p, FAULTS * page);

		p = fresh(FORKED, page);
		touch(p, FORKED, page);
		double start = now();
		pid = fork();
		if (pid == 0)
			_exit(0);
		best(&forked, now() - start);
		waitpid(pid, &status, 0);
		munmap(p, FORKED * page);

		p = fresh(LOCKED, page);
		best(&untouched, lock(p, LOCKED * page));
		best(&resident, lock(p, LOCKED * page));
		munmap(p, LOCKED * page);
	}
	printf("{\"pageSize\":%zu,\"zeroFill\":%.0f,\"copyOnWrite\":%.0f,\"fork10000\":%.0f,"
	    "\"lockResident\":%.0f,\"lockUntouched\":%.0f}\n",
	    page, zero, cow, forked, resident, untouched);
	return 0;
}
