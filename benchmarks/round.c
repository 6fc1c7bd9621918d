/*
 * One round: fork, thread, exec in the thread, kill, reap. The yardstick for benchmarks/rounds.py.
 *
 * usage: round IMAGE ROUNDS    (IMAGE echoes its input; IMAGE is an open descriptor's /proc path)
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *image;
static int ends[2];

static void *exec_image(void *unused)
{
	char *argv[] = { "cat", NULL };

	dup2(ends[1], 0);
	dup2(ends[1], 1);
	execv(image, argv);
	_exit(1);
}

static void one_round(void)
{
	char byte = '?';
	siginfo_t end;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		exit(1);
	pid = fork();
	if (pid == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, exec_image, NULL);
		for (;;)
			pause();
	}
	close(ends[1]);
	if (write(ends[0], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
		exit(1);
	kill(pid, SIGKILL);
	waitid(P_PID, pid, &end, WEXITED);
	close(ends[0]);
}

int main(int argc, char **argv)
{
	struct timespec start, end;
	int rounds = atoi(argv[2]);

	image = argv[1];
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < rounds; i++)
		one_round();
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.4f\n", ((end.tv_sec - start.tv_sec) * 1e3 + (end.tv_nsec - start.tv_nsec) / 1e6) / rounds);
	return 0;
}
