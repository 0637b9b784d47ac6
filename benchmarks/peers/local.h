/* What stub.c and loadgen.c share: the clock, addresses on this machine, and where an HTTP head ends. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256 }; /* taken from the kernel at once */

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static struct sockaddr_in local(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int connected(int port) {
    struct sockaddr_in address = local(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!connect(fd, (void *)&address, sizeof address)) return fd;
    perror("connect");
    exit(2);
}

/* What the head of an HTTP message says of its body, once the head is whole. */
struct head {
    size_t size; /* 0 while the head is not whole */
    long length; /* of the body, in bytes; 0 when it is chunked or nothing is said */
    int chunked, closing;
};

/* `bytes` ends with a 0. */
static struct head head(char *bytes) {
    char *end = strstr(bytes, "\r\n\r\n"), *length;
    if (!end) return (struct head){0};
    *end = 0; /* the searches stop here */
    length = strcasestr(bytes, "\r\ncontent-length:");
    struct head found = {
        .size = end + 4 - bytes,
        .length = length ? atol(length + 17) : 0,
        .chunked = strcasestr(bytes, "\r\ntransfer-encoding: chunked") != 0,
        .closing = strcasestr(bytes, "\r\nconnection: close") != 0,
    };
    *end = '\r';
    return found;
}
