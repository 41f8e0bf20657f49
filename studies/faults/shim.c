/* Faults at one change of the files below $FAULT_ROOT, in a program and all its child processes (LD_PRELOAD).

   It sees each opening for writing, write, rename, removal and so on, and adds a line for it to $FAULT_TRACE. At
   the first of the kind `what` at a place that `place` fits, it does what `kind` says. These stand in a block
   of memory that is shared with who started the program ($FAULT_CONTROL), and may change at any time. Without
   it nothing is done. Every call goes to the kernel by syscall(2), so that none is seen twice. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* As `Kind` in control.py. */
enum { NONE, KILL, NO_SPACE, READ_ONLY, CLOCK, MEMORY };
enum { HALF = -1, TAKES_ROOM = 1, GIVES_ROOM = 0 };

/* As `Control` in control.py. `amount`: seconds of CLOCK, bytes that MEMORY leaves. */
struct control {
    int64_t kind, fired, pid, shift, amount;
    char what[16], place[488];
};

static struct control *control;
static const char *root, *trace;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("FAULT_CONTROL");
    root = getenv("FAULT_ROOT");
    trace = getenv("FAULT_TRACE");
    if (!path || !root || !trace) return;
    /* (Programs that change their title write over the environment.) */
    root = strdup(root), trace = strdup(trace);
    int file = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *block = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (block != MAP_FAILED) control = block;
}

/* Whether a path lies below the root, and the whole of it; "" is what the descriptor `folder` has open. */
static int is_watched(int folder, const char *path, char *whole) {
    if (!control || !path) return 0;
    if (path[0] == '/') {
        snprintf(whole, PATH_MAX, "%s", path);
    } else {
        char link[64], start[PATH_MAX];
        if (folder == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, start, sizeof start - 1);
        if (length < 0) return 0;
        start[length] = 0;
        if (snprintf(whole, PATH_MAX, path[0] ? "%s/%s" : "%s", start, path) >= PATH_MAX) return 0;
    }
    size_t length = strlen(root);
    return !strncmp(whole, root, length) && (whole[length] == '/' || !whole[length]);
}

static void note(const char *what, const char *whole) {
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s\t%s\n", what, whole);
    int file = syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    syscall(SYS_write, file, line, length);
    syscall(SYS_close, file);
}

static void die(void) {
    if (control->pid) syscall(SYS_kill, (pid_t)control->pid, SIGKILL);
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* From now on this process gets no more than it has and `amount` bytes. */
static void limit_memory(void) {
    char text[64] = {0};
    int file = syscall(SYS_openat, AT_FDCWD, "/proc/self/statm", O_RDONLY | O_CLOEXEC);
    syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = strtoull(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE) + (rlim_t)control->amount;
    setrlimit(RLIMIT_AS, &limit);
}

/* Look at a change: 0 to make it, HALF to make half of it, or the errno that it fails with. */
static int begin(const char *what, int folder, const char *path, int takes_room) {
    char whole[PATH_MAX];
    int before = errno;
    if (!is_watched(folder, path, whole)) {
        errno = before;
        return 0;
    }
    note(what, whole);
    int is_now = !control->fired && !strcmp(what, control->what)
                 && !fnmatch(control->place, whole + strlen(root), 0)
                 && !__atomic_exchange_n(&control->fired, 1, __ATOMIC_SEQ_CST);
    if (is_now && control->kind == CLOCK) control->shift = -control->amount;
    if (is_now && control->kind == MEMORY) limit_memory();
    errno = before;
    if (!control->fired) return 0;
    int is_write = !strcmp(what, "write");
    switch (control->kind) {
    case KILL:
        if (is_now && !is_write) die();
        return is_now ? HALF : 0;
    case NO_SPACE: return !takes_room ? 0 : is_now && is_write ? HALF : ENOSPC;
    case READ_ONLY: return EROFS;
    default: return 0;
    }
}

#define FAIL(said) return errno = (said), -1
#define CHANGE(what, folder, path, takes_room, ...)             \
    do {                                                        \
        int said = begin(what, folder, path, takes_room);       \
        if (said > 0) FAIL(said);                               \
        return syscall(__VA_ARGS__);                            \
    } while (0)

static int open_at(int folder, const char *path, int flags, mode_t mode) {
    if (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) {
        int said = begin("open", folder, path, flags & O_CREAT ? TAKES_ROOM : GIVES_ROOM);
        if (said > 0) FAIL(said);
    }
    return syscall(SYS_openat, folder, path, flags, mode);
}

#define OPEN(name)                                              \
    int name(const char *path, int flags, ...) {                \
        va_list rest;                                           \
        va_start(rest, flags);                                  \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                           \
        return open_at(AT_FDCWD, path, flags, mode);            \
    }
#define OPEN_AT(name)                                           \
    int name(int folder, const char *path, int flags, ...) {    \
        va_list rest;                                           \
        va_start(rest, flags);                                  \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                           \
        return open_at(folder, path, flags, mode);              \
    }
#define FOPEN(name)                                             \
    FILE *name(const char *path, const char *mode) {            \
        static FILE *(*next)(const char *, const char *);       \
        if (!next) next = dlsym(RTLD_NEXT, #name);              \
        if (mode[0] != 'r' || strchr(mode, '+')) {              \
            int said = begin("open", AT_FDCWD, path, TAKES_ROOM); \
            if (said > 0) return errno = said, NULL;            \
        }                                                       \
        return next(path, mode);                                \
    }
OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)
FOPEN(fopen)
FOPEN(fopen64)

ssize_t write(int file, const void *data, size_t size) {
    int said = begin("write", file, "", TAKES_ROOM);
    if (said > 0) FAIL(said);
    ssize_t written = syscall(SYS_write, file, data, said == HALF ? (size + 1) / 2 : size);
    if (said == HALF && control->kind == KILL) die();
    return written;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    CHANGE("writev", file, "", TAKES_ROOM, SYS_writev, file, parts, count);
}

#define PWRITE(name)                                            \
    ssize_t name(int file, const void *data, size_t size, off_t at) { \
        CHANGE("pwrite", file, "", TAKES_ROOM, SYS_pwrite64, file, data, size, at); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define SENDFILE(name)                                          \
    ssize_t name(int file, int source, off_t *at, size_t size) { \
        CHANGE("sendfile", file, "", TAKES_ROOM, SYS_sendfile, file, source, at, size); \
    }
SENDFILE(sendfile)
SENDFILE(sendfile64)

int rename(const char *old, const char *new) {
    CHANGE("rename", AT_FDCWD, new, GIVES_ROOM, SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, 0);
}
int renameat(int from, const char *old, int to, const char *new) {
    CHANGE("rename", to, new, GIVES_ROOM, SYS_renameat2, from, old, to, new, 0);
}
int mkdir(const char *path, mode_t mode) {
    CHANGE("mkdir", AT_FDCWD, path, TAKES_ROOM, SYS_mkdirat, AT_FDCWD, path, mode);
}
int mkdirat(int folder, const char *path, mode_t mode) {
    CHANGE("mkdir", folder, path, TAKES_ROOM, SYS_mkdirat, folder, path, mode);
}
int unlink(const char *path) {
    CHANGE("remove", AT_FDCWD, path, GIVES_ROOM, SYS_unlinkat, AT_FDCWD, path, 0);
}
int unlinkat(int folder, const char *path, int flags) {
    CHANGE("remove", folder, path, GIVES_ROOM, SYS_unlinkat, folder, path, flags);
}
int rmdir(const char *path) {
    CHANGE("remove", AT_FDCWD, path, GIVES_ROOM, SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}
int fsync(int file) { CHANGE("sync", file, "", TAKES_ROOM, SYS_fsync, file); }
int fdatasync(int file) { CHANGE("sync", file, "", TAKES_ROOM, SYS_fdatasync, file); }

static int64_t shift(void) { return control ? control->shift : 0; }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift();
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int failed = syscall(SYS_gettimeofday, now, zone);
    if (!failed) now->tv_sec += shift();
    return failed;
}
time_t time(time_t *place) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (place) *place = now.tv_sec;
    return now.tv_sec;
}
