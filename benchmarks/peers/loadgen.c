/* A load generator that costs little beside what it measures: HTTP/1.1, one thread, epoll.
 *
 *     loadgen -p PORT -b BODY_FILE [-H 'name: value']... [-c CLIENTS] [-d SECONDS] [-w WARM_UP_SECONDS] [-r RATE]
 *
 * Without -r each client asks again once it is answered; with it RATE requests a second are begun, each on a client that
 * is free, and a latency counts from the time at which it should have been begun. MARK in the body becomes the number of
 * this request, never used before. Knows the stub's one convention: a token's text is the time at which it was
 * sent. Requests that were begun are finished (for DRAIN_S at most). Prints one line of JSON, times in microseconds:
 *
 *     sent      requests                      requests  answered a second, after the warm-up
 *     failed    answers other than 200        tokens    that came in all; `token_rate` a second, after the warm-up
 *     broken    connections that were closed  latency_p50, _p99; first_: until the first token; way_: of each token */
#include "local.h"
#include "samples.h"

enum { HEAD = 16384, DRAIN_S = 30 };
enum part { SIZE, DATA, AFTER_DATA, LAST_LINE }; /* of a chunked body */

static const char MARK[] = "@@@@@@@@@@@@@@@@@@@@"; /* 20 bytes */

struct client {
    int fd, busy, tokens;
    char bytes[HEAD + 1]; /* the answer's head */
    size_t used;
    struct head head;
    enum part part;
    long left; /* bytes of the body, or of its present chunk */
    uint64_t asked, stamp;
    char before; /* the body's last byte; 'n' inside a stamp */
};

static struct samples latencies, firsts, ways;
static struct client *clients;
static char *request, *mark;
static size_t request_size;
static int epoll, port, count = 1;
static uint64_t begin, end; /* of what is measured */
static unsigned long sent, failed, broken, finished, tokens, tokens_in_time;

static void open_client(struct client *c) {
    c->busy = 0;
    c->fd = connected(port);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
}

static void reopen(struct client *c) {
    close(c->fd);
    open_client(c);
}

static void ask(struct client *c, uint64_t at) {
    char number[sizeof MARK];
    if (mark) memcpy(mark, number, sprintf(number, "%020llu", (unsigned long long)now()));
    c->busy = 1;
    c->tokens = c->left = c->used = c->before = 0;
    c->head.size = 0;
    c->part = SIZE;
    c->asked = at;
    sent++;
    if (write(c->fd, request, request_size) == (ssize_t)request_size) return;
    broken++;
    reopen(c);
}

static void token(struct client *c, uint64_t at) {
    if (c->stamp < c->asked || c->stamp > at) return; /* some other "t=" */
    tokens++;
    tokens_in_time += at >= begin && at < end;
    if (c->asked >= begin) {
        add(&ways, at - c->stamp);
        if (!c->tokens) add(&firsts, at - c->asked);
    }
    c->tokens++;
}

/* Look for the stamps in a piece of a body: "t=", digits, anything else. */
static void read_body(struct client *c, const char *bytes, size_t size, uint64_t at) {
    for (const char *b = bytes; b < bytes + size; b++) {
        int digit = *b >= '0' && *b <= '9';
        if (c->before == 'n' && digit) {
            c->stamp = c->stamp * 10 + *b - '0';
        } else if (c->before == 't' && *b == '=') {
            c->before = 'n';
            c->stamp = 0;
        } else {
            if (c->before == 'n') token(c, at);
            c->before = *b == 't' ? 't' : 0;
        }
    }
}

static void finish(struct client *c, uint64_t at) {
    c->busy = 0;
    failed += atoi(c->bytes + sizeof "HTTP/1.1") != 200;
    finished += at >= begin && at < end;
    if (c->asked >= begin) add(&latencies, at - c->asked);
    if (c->head.closing) reopen(c);
}

/* As much as there is of the part that a chunked body is in; how many bytes it was. */
static size_t read_part(struct client *c, const char *bytes, size_t size, uint64_t at) {
    size_t piece = size < (size_t)c->left ? size : (size_t)c->left;
    const char digit[2] = {*bytes, 0};
    switch (c->part) {
    case SIZE:
        if (*bytes == '\n') c->part = c->left ? DATA : LAST_LINE;
        else if (*bytes != '\r') c->left = c->left * 16 + strtol(digit, 0, 16);
        return 1;
    case DATA:
        read_body(c, bytes, piece, at);
        if (!(c->left -= piece)) c->part = AFTER_DATA;
        return piece;
    case AFTER_DATA:
        if (*bytes == '\n') c->part = SIZE;
        return 1;
    case LAST_LINE:
        if (*bytes == '\n') finish(c, at);
    }
    return 1;
}

static void receive(struct client *c, const char *bytes, size_t size, uint64_t at) {
    size_t skipped = 0;
    if (!c->head.size) {
        size_t before = c->used, room = HEAD - before, taken = size < room ? size : room;
        memcpy(c->bytes + c->used, bytes, taken);
        c->bytes[c->used += taken] = 0;
        c->head = head(c->bytes);
        if (!c->head.size) return;
        c->left = c->head.chunked ? 0 : c->head.length;
        skipped = c->head.size - before;
    }
    bytes += skipped, size -= skipped;
    while (c->head.chunked && size && c->busy) {
        size_t used = read_part(c, bytes, size, at);
        bytes += used, size -= used;
    }
    if (c->head.chunked) return;
    read_body(c, bytes, size, at);
    if ((c->left -= size) <= 0) finish(c, at);
}

/* Take what has come for one client; in a closed loop it asks again. */
static void take(struct client *c, int again) {
    static char bytes[1 << 18];
    ssize_t n = read(c->fd, bytes, sizeof bytes);
    uint64_t at = now();
    if (n < 0 && errno == EAGAIN) return;
    if (n > 0 && c->busy) receive(c, bytes, n, at);
    if (n <= 0) {
        broken += c->busy;
        reopen(c);
    }
    if (!c->busy && again && at < end) ask(c, now());
}

static struct client *idle(void) {
    struct client *c = clients;
    while (c < clients + count && c->busy) c++;
    return c < clients + count ? c : 0;
}

static int busy(void) {
    int n = 0;
    for (int i = 0; i < count; i++) n += clients[i].busy;
    return n;
}

/* Begin what is due at this rate; how long until the next one, in ns. */
static uint64_t ask_due(uint64_t start, double rate) {
    static unsigned long begun;
    uint64_t at = now(), due;
    struct client *c;
    while ((due = start + (uint64_t)(begun * 1e9 / rate)) <= at) {
        if (due >= end || !(c = idle())) return 50000;
        ask(c, due);
        begun++;
    }
    return due - at;
}

static void run(uint64_t start, double rate) {
    struct epoll_event events[EVENTS];
    for (int i = 0; i < count; i++) {
        open_client(&clients[i]);
        if (!rate) ask(&clients[i], now());
    }
    for (uint64_t at = start; at < end || (busy() && at < end + DRAIN_S * 1000000000ull); at = now()) {
        uint64_t left = rate && at < end ? ask_due(start, rate) : 1000000;
        struct timespec wait = {left / 1000000000, left % 1000000000};
        int n = epoll_pwait2(epoll, events, EVENTS, &wait, 0);
        for (int i = 0; i < n; i++) take(events[i].data.ptr, !rate);
    }
}

static void make_request(const char *file, const char *headers) {
    static char bytes[1 << 20], body[1 << 19];
    FILE *from = fopen(file, "rb");
    size_t size = from ? fread(body, 1, sizeof body, from) : 0;
    int n = sprintf(bytes,
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\n%s"
        "content-length: %zu\r\n\r\n",
        port, headers, size);
    memcpy(bytes + n, body, size);
    request = bytes, request_size = n + size;
    mark = memmem(bytes, request_size, MARK, sizeof MARK - 1);
}

int main(int arguments, char **values) {
    char headers[8192] = "", *body = "";
    double seconds = 2, warm_up = 0.5, rate = 0;
    for (int option; (option = getopt(arguments, values, "p:b:H:c:d:w:r:")) > 0;) switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'b': body = optarg; break;
        case 'H': strcat(strcat(headers, optarg), "\r\n"); break;
        case 'c': count = atoi(optarg); break;
        case 'd': seconds = atof(optarg); break;
        case 'w': warm_up = atof(optarg); break;
        case 'r': rate = atof(optarg); break;
        default: return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    make_request(body, headers);
    epoll = epoll_create1(0);
    clients = calloc(count, sizeof *clients);
    uint64_t start = now();
    begin = start + (uint64_t)(warm_up * 1e9), end = begin + (uint64_t)(seconds * 1e9);
    run(start, rate);
    printf("{\"sent\":%lu,\"failed\":%lu,\"broken\":%lu,\"unfinished\":%d", sent, failed, broken, busy());
    printf(",\"requests\":%.1f", finished / seconds);
    printf(",\"tokens\":%lu,\"token_rate\":%.1f", tokens, tokens_in_time / seconds);
    print("latency", &latencies), print("first", &firsts), print("way", &ways);
    printf("}\n");
}
