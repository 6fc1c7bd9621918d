/*
 * The races of helpers/scenes.py in C: the yardstick for benchmarks/races.py.
 *
 * usage: race reap SECONDS          PIDFD_GET_INFO against the reap of a zombie
 *        race poll SECONDS          poll against the end and the reap of a process
 *        race exec SECONDS IMAGE    PIDFD_GET_INFO against execs in a subthread; IMAGE is the
 *                                   descriptor of the image that executes itself
 *
 * Prints rounds a second, attempts a second, and how many attempts failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STACK (1 << 16)
#define GET_INFO _IOWR(0xFF, 11, char[88])

static _Atomic long published, started, caused, done;
static _Atomic int fd;
static long attempts, failures;
static int polls;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void await(_Atomic long *word, long least)
{
	while (*word < least)
		;
}

static void attempt(void)
{
	attempts++;
	if (polls) {
		struct pollfd entry = { .fd = fd, .events = POLLIN };

		if (poll(&entry, 1, 0) < 0)
			failures++;
	} else {
		uint64_t info[11] = { 1 << 3 };

		if (ioctl(fd, GET_INFO, info))
			failures++;
	}
}

static void *observe(void *unused)
{
	pin(1);
	for (long round = 1;; round++) {
		int over;

		await(&published, round);
		attempt();
		started = round;
		do {
			over = caused >= round;
			attempt();
		} while (!over);
		done = round;
	}
	return unused;
}

static int end_at_once(void *unused)
{
	(void)unused;
	syscall(SYS_exit, 3);
	return 0;
}

static int sleep_on(void *unused)
{
	(void)unused;
	for (;;)
		syscall(SYS_pause);
}

static int make(int (*function)(void *), char *stack)
{
	return clone(function, stack + STACK, CLONE_VM | SIGCHLD, NULL);
}

static int start_chain(const char *image, int tell)
{
	char *argv[] = { "chain", NULL }, *none[] = { NULL };
	int from = fcntl(atoi(image), F_DUPFD, 10), to = fcntl(tell, F_DUPFD, 10);
	int pid = fork();

	if (pid)
		return pid;
	dup2(to, 3);
	dup2(from, 4);
	fcntl(4, F_SETFD, 0);
	fexecve(from, argv, none);
	_exit(1);
}

int main(int argc, char **argv)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double end, begin, length = atof(argv[2]);
	int chain = !strcmp(argv[1], "exec"), tell[2], pid = 0;
	long rounds = 0, number = 0;
	pthread_t observer;
	siginfo_t info;

	polls = !strcmp(argv[1], "poll");
	pin(0);
	if (chain) {
		if (argc < 4 || pipe(tell))
			return 1;
		pid = start_chain(argv[3], tell[1]);
		fd = syscall(SYS_pidfd_open, pid, 0);
	}
	pthread_create(&observer, NULL, observe, NULL);
	begin = now();
	end = begin + length;
	while (now() < end) {
		if (!chain) {
			pid = make(polls ? sleep_on : end_at_once, stack);
			fd = syscall(SYS_pidfd_open, pid, 0);
			if (!polls)
				waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
		}
		published = ++number;
		await(&started, number);
		if (chain) {
			char told[1 << 16];
			struct timespec slice = { .tv_nsec = 2000000 };

			nanosleep(&slice, NULL);
			rounds += read(tell[0], told, sizeof(told)) / 8;
		} else {
			if (polls)
				kill(pid, SIGKILL);
			waitid(P_PID, pid, &info, WEXITED);
			rounds++;
		}
		caused = number;
		await(&done, number);
		if (!chain)
			close(fd);
	}
	length = now() - begin;
	if (chain)
		kill(pid, SIGKILL);
	printf("%.0f %.0f %ld\n", rounds / length, attempts / length, failures);
	return 0;
}
