/* A backend that costs almost nothing, for gateways that cost little themselves: one thread, epoll, no JSON parser.
 *
 *     stub PORT OTHER_PORT
 *
 * It answers chat completions, as a stream if the body says "stream":true. What it says is decided by the request, as in
 * stub.py: `max_completion_tokens` (or `max_tokens`) tokens, `seed` microseconds apart, the first after as long. Each
 * token's text is "t=<ns> ", the time at which it was sent (CLOCK_MONOTONIC). A token is one event and one write; a usage
 * stands where `stream_options` asks for it, as vLLM does. `GET /answered` says how many chats were answered.
 * Every other request goes to stub.py on OTHER_PORT and waits for it: models, /tokenize and health are asked rarely.
 *
 * Invariant: an answer is far smaller than a socket's buffer, so a write that is not whole is a client that is gone. */
#include "local.h"

enum { CONNECTIONS = 1024, INPUT = 65536, PROMPT_TOKENS = 64, TOKENS = 64 };

#define HEAD "HTTP/1.1 200 OK\r\ncontent-type: %s\r\n"
#define ID "\"id\":\"chatcmpl-8e87a8837d3ad4a7\",\"object\":\"chat.completion%s\",\"created\":1795314207,\"model\":\"tiny\","
#define USAGE "\"usage\":{\"prompt_tokens\":%d,\"total_tokens\":%d,\"completion_tokens\":%d}"

struct connection {
    char input[INPUT + 1];
    size_t used;
    int said, tokens, closing, usage_each, usage_last;
    uint64_t gap;
};

static struct connection connections[CONNECTIONS];
static uint64_t due[CONNECTIONS]; /* when the next token is sent; 0: nothing is being streamed */
static int epoll, other_port;
static unsigned long answered;

/* Close a connection; 0, as whatever answers says of one that is gone. */
static int drop(int fd) {
    due[fd] = 0;
    close(fd);
    return 0;
}

static int say(int fd, const char *bytes, size_t size) {
    return write(fd, bytes, size) == (ssize_t)size ? 1 : drop(fd);
}

/* What stands after `"name":` in a JSON text; nothing where there is no such name. */
static const char *value(const char *json, const char *name) {
    const char *found = strstr(json, name);
    return found ? found + strlen(name) + strspn(found + strlen(name), " ") : "";
}

/* A positive number, else `otherwise`. */
static long number(const char *json, const char *name, long otherwise) {
    long found = atol(value(json, name));
    return found > 0 ? found : otherwise;
}

static int set(const char *json, const char *name) {
    return !strncmp(value(json, name), "true", 4);
}

static int whole(int fd, const char *json) {
    char bytes[8192];
    int n = sprintf(bytes, HEAD "content-length: %zu\r\n\r\n%s", "application/json", strlen(json), json);
    return say(fd, bytes, n);
}

static int completion(int fd, int tokens) {
    char json[4096], text[700];
    for (size_t i = 0; i < sizeof text - 1; i++) text[i] = "lorem ipsum dolor sit amet "[i % 27];
    text[sizeof text - 1] = 0;
    sprintf(json,
        "{" ID "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\",\"refusal\":null,"
        "\"tool_calls\":[]},\"logprobs\":null,\"finish_reason\":\"stop\",\"stop_reason\":null}]," USAGE "}",
        "", text, PROMPT_TOKENS, PROMPT_TOKENS + tokens, tokens);
    return whole(fd, json);
}

/* One server-sent event as one HTTP chunk, written to `out`; its size. */
static int event(char *out, const char *data, int size) {
    return sprintf(out, "%x\r\ndata: %s\n\n\r\n", size + 8, data);
}

static int token(char *out, const struct connection *c) {
    char data[1024], usage[256] = "";
    if (c->usage_each) sprintf(usage, "," USAGE, PROMPT_TOKENS, PROMPT_TOKENS + c->said, c->said);
    int n = sprintf(data,
        "{" ID "\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\"t=%llu \"},\"logprobs\":null,\"finish_reason\":%s,"
        "\"token_ids\":null}]%s}",
        ".chunk", c->said == 1 ? "\"role\":\"assistant\"," : "", (unsigned long long)now(),
        c->said == c->tokens ? "\"stop\"" : "null", usage);
    return event(out, data, n);
}

static int ending(char *out, const struct connection *c) {
    char data[1024];
    int size = 0, total = PROMPT_TOKENS + c->tokens;
    if (c->usage_last) {
        int n = sprintf(data, "{" ID "\"choices\":[]," USAGE "}", ".chunk", PROMPT_TOKENS, total, c->tokens);
        size = event(out, data, n);
    }
    size += event(out + size, "[DONE]", 6);
    return size + sprintf(out + size, "0\r\n\r\n");
}

static void handle(int fd);

/* The next token of a stream, and the end after the last one. */
static void next(int fd) {
    struct connection *c = &connections[fd];
    char out[4096];
    int size = 0;
    if (!c->said++) size = sprintf(out, HEAD "transfer-encoding: chunked\r\n\r\n", "text/event-stream; charset=utf-8");
    size += token(out + size, c);
    due[fd] += c->gap;
    if (c->said == c->tokens) {
        size += ending(out + size, c);
        due[fd] = 0;
    }
    if (!say(fd, out, size) || due[fd]) return;
    if (c->closing) drop(fd);
    else handle(fd);
}

/* Pass a request on to stub.py and its answer back; what it does not answer ends the connection. */
static int elsewhere(int fd, const char *request, size_t size) {
    char bytes[16384] = "";
    size_t used = 0;
    int there = connected(other_port);
    struct timeval patience = {.tv_sec = 5};
    setsockopt(there, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ssize_t n = write(there, request, size);
    for (struct head h = {0}; n > 0 && (!h.size || used < h.size + h.length); h = head(bytes)) {
        n = read(there, bytes + used, sizeof bytes - 1 - used);
        if (n > 0) bytes[used += n] = 0;
    }
    close(there);
    return n > 0 ? say(fd, bytes, used) : drop(fd);
}

/* Answer a whole request; 1 if it is answered, 0 if that takes time or the client is gone. */
static int answer(int fd, const char *request, size_t size, const char *body) {
    struct connection *c = &connections[fd];
    char json[64];
    if (!strncmp(request, "GET /answered ", 14)) {
        sprintf(json, "{\"answered\":%lu}", answered);
        return whole(fd, json);
    }
    if (!strncmp(request, "PRI ", 4)) return drop(fd); /* HTTP/2: sglang-router asks whether this is gRPC */
    if (strncmp(request, "POST /v1/chat/completions ", 26)) return elsewhere(fd, request, size);
    answered++;
    c->said = 0;
    c->tokens = number(body, "\"max_completion_tokens\":", number(body, "\"max_tokens\":", TOKENS));
    if (!set(body, "\"stream\":")) return completion(fd, c->tokens);
    c->gap = number(body, "\"seed\":", 0) * 1000;
    c->usage_each = set(body, "\"continuous_usage_stats\":");
    c->usage_last = set(body, "\"include_usage\":");
    due[fd] = now() + c->gap;
    return 0;
}

/* The size of the first request of the input; 0 while it is not whole. */
static size_t request_size(const struct connection *c, struct head h) {
    if (!h.size || !h.chunked) return h.size && h.size + h.length <= c->used ? h.size + h.length : 0;
    const char *last = strstr(c->input + h.size, "0\r\n\r\n");
    return last ? last + 5 - c->input : 0;
}

/* Answer what has come, one request after the other. */
static void handle(int fd) {
    struct connection *c = &connections[fd];
    while (!due[fd] && c->used) {
        struct head h = head(c->input);
        size_t size = request_size(c, h);
        if (!size) return;
        char after = c->input[size];
        c->input[size] = 0;
        c->closing = h.closing;
        int done = answer(fd, c->input, size, c->input + h.size);
        c->input[size] = after;
        memmove(c->input, c->input + size, (c->used -= size) + 1);
        if (done && h.closing) drop(fd);
        if (!done || h.closing) return;
    }
}

static void watch(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void take(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
        if (fd >= CONNECTIONS) exit(3); /* no comparison needs that many */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        connections[fd].used = 0;
        watch(fd);
    }
}

static void receive(int fd) {
    struct connection *c = &connections[fd];
    ssize_t n = read(fd, c->input + c->used, INPUT - c->used);
    if (n < 0 && errno == EAGAIN) return; /* the event was of a connection that is gone, and its number is used anew */
    if (n > 0) {
        c->input[c->used += n] = 0;
        handle(fd);
    } else {
        drop(fd);
    }
}

/* Send every token that is due; how long until the next one, or nothing to wait for. */
static struct timespec *send_due(struct timespec *wait) {
    uint64_t first = 0, at = now();
    for (int fd = 0; fd < CONNECTIONS; fd++) {
        while (due[fd] && due[fd] <= at) next(fd);
        if (due[fd] && (!first || due[fd] < first)) first = due[fd];
    }
    uint64_t left = first > at ? first - at : 0;
    *wait = (struct timespec){left / 1000000000, left % 1000000000};
    return first ? wait : 0;
}

static int listening(int port) {
    struct sockaddr_in address = local(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (!bind(fd, (void *)&address, sizeof address) && !listen(fd, CONNECTIONS)) return fd;
    perror("listen");
    exit(1);
}

int main(int count, char **arguments) {
    struct epoll_event events[EVENTS];
    struct timespec wait;
    if (count != 3) return 2;
    signal(SIGPIPE, SIG_IGN);
    epoll = epoll_create1(0);
    other_port = atoi(arguments[2]);
    int listener = listening(atoi(arguments[1]));
    watch(listener);
    for (;;) {
        int n = epoll_pwait2(epoll, events, EVENTS, send_due(&wait), 0);
        for (int i = 0; i < n; i++)
            if (events[i].data.fd == listener) take(listener);
            else receive(events[i].data.fd);
    }
}
