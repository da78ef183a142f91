/*
 * power-cut: a preload library that writes down everything a process does to the files below one directory, so that
 * afterwards any state a power cut could have left there can be rebuilt (durable-image.ts does that).
 *
 *   cc -O2 -shared -fPIC -o power-cut.so power-cut.c -lpthread
 *   POWER_CUT_DIRECTORY=/data POWER_CUT_JOURNAL=/elsewhere/journal LD_PRELOAD=./power-cut.so server ...
 *
 * The journal is a sequence of records, little-endian: u32 kind, u32 payload length, u64 inode, u64 offset, payload.
 *
 *   1 create     inode, payload = path               the name is new (contents empty)
 *   2 write      inode, offset, payload = bytes
 *   3 truncate   inode, offset = new size            also O_TRUNC and fallocate
 *   4 sync       inode, offset = journal length when the sync began: writes before it are durable now
 *   5 rename     payload = from NUL to
 *   6 unlink     payload = path
 *   7 mkdir      payload = path
 *   8 sync dir   payload = path, offset as for sync
 *   9 lost       inode, offset as for sync: a sync failed, and what it should have written is gone
 *
 * A record is appended after the call has succeeded and before the process learns of it. So whoever sees the server
 * acknowledge a write, and then asks for the journal's length, knows a length at which that write had to be durable.
 *
 * POWER_CUT_FAULT=kind:count:number injects one fault:
 *   sync:N:ERRNO    the N-th sync of a file fails once with ERRNO and its bytes are lost
 *   write:B:ERRNO   after B bytes written, every write fails with ERRNO (28 = disk full); the last one is cut short
 *   slow:N:MS       every N-th sync takes MS milliseconds longer
 *
 * The process must not use io_uring for files (UV_USE_IO_URING=0) or mmap them for writing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CREATE = 1, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, SYNC_DIR, LOST };
enum { FD_MAX = 65536 };

struct tracked { char is_file, is_directory, syncs_each_write; uint64_t inode; };

static struct tracked fds[FD_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static uint64_t journal_length;
static char root[PATH_MAX];
static size_t root_length;

static char fault_kind[16];
static long fault_at, fault_number, bytes_written, syncs_done;


__attribute__((constructor)) static void begin(void) {
  const char *directory = getenv("POWER_CUT_DIRECTORY"), *path = getenv("POWER_CUT_JOURNAL"), *fault = getenv("POWER_CUT_FAULT");
  if (!directory || !path || !realpath(directory, root)) return;
  root_length = strlen(root);
  journal = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  struct stat st;
  if (journal >= 0 && syscall(SYS_fstat, journal, &st) == 0) journal_length = st.st_size;
  /* Out of the way of the small numbers that the process may expect. */
  int high = syscall(SYS_fcntl, journal, F_DUPFD_CLOEXEC, 900);
  if (high >= 0) { syscall(SYS_close, journal); journal = high; }
  if (fault) sscanf(fault, "%15[a-z]:%ld:%ld", fault_kind, &fault_at, &fault_number);
}

static int active(void) { return journal >= 0; }
static int inside(const char *path) {
  return strncmp(path, root, root_length) == 0 && (path[root_length] == 0 || path[root_length] == '/');
}

/* Call with the lock held. */
static void append(uint32_t kind, uint64_t inode, uint64_t offset, const struct iovec *payload, int count, size_t length) {
  struct { uint32_t kind, length; uint64_t inode, offset; } head = {kind, (uint32_t)length, inode, offset};
  struct iovec parts[1 + 1024];
  parts[0].iov_base = &head; parts[0].iov_len = sizeof head;
  size_t left = length; int n = 1;
  for (int i = 0; i < count && left > 0 && n <= 1024; i++) {
    parts[n] = payload[i];
    if (parts[n].iov_len > left) parts[n].iov_len = left;
    left -= parts[n++].iov_len;
  }
  ssize_t wrote = syscall(SYS_writev, journal, parts, n);
  if (wrote != (ssize_t)(sizeof head + length)) { fprintf(stderr, "power-cut: the journal cannot be written\n"); _exit(99); }
  journal_length += wrote;
}
static void append_text(uint32_t kind, uint64_t inode, uint64_t offset, const char *text, size_t length) {
  struct iovec part = {(void *)text, length};
  append(kind, inode, offset, &part, 1, length);
}

/* The absolute path of a name: its parent resolved, its last part as it is. 0 if the parent is not there. */
static int resolve(int dirfd, const char *name, char *out) {
  char joined[PATH_MAX], parent[PATH_MAX];
  if (name[0] != '/' && dirfd != AT_FDCWD) {
    char link[64]; snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
    ssize_t n = readlink(link, parent, sizeof parent - 1);
    if (n < 0) return 0;
    parent[n] = 0;
    if (snprintf(joined, sizeof joined, "%s/%s", parent, name) >= (int)sizeof joined) return 0;
  } else if (snprintf(joined, sizeof joined, "%s", name) >= (int)sizeof joined) return 0;
  size_t length = strlen(joined);
  while (length > 1 && joined[length - 1] == '/') joined[--length] = 0;
  char *slash = strrchr(joined, '/');
  if (!slash) { if (!realpath(".", parent)) return 0; return snprintf(out, PATH_MAX, "%s/%s", parent, joined) < PATH_MAX; }
  char base[NAME_MAX + 1]; snprintf(base, sizeof base, "%s", slash + 1);
  if (slash == joined) slash[1] = 0; else *slash = 0;
  if (!realpath(joined, parent)) return 0;
  return snprintf(out, PATH_MAX, "%s/%s", strcmp(parent, "/") ? parent : "", base) < PATH_MAX;
}

static int track_open(int dirfd, const char *name, int flags, mode_t mode) {
  if (!active()) return syscall(SYS_openat, dirfd, name, flags, mode);
  char path[PATH_MAX];
  if (!resolve(dirfd, name, path) || !inside(path)) return syscall(SYS_openat, dirfd, name, flags, mode);
  pthread_mutex_lock(&lock);
  struct stat before, after;
  int was_there = syscall(SYS_newfstatat, AT_FDCWD, path, &before, 0) == 0;
  int fd = syscall(SYS_openat, dirfd, name, flags, mode), saved = errno;
  if (fd >= 0 && fd < FD_MAX && syscall(SYS_fstat, fd, &after) == 0) {
    struct tracked t = {S_ISREG(after.st_mode), S_ISDIR(after.st_mode), (flags & (O_SYNC | O_DSYNC)) != 0, after.st_ino};
    fds[fd] = t;
    if (t.is_file && !was_there) append_text(CREATE, t.inode, 0, path, strlen(path));
    else if (t.is_file && (flags & O_TRUNC) && before.st_size > 0) append_text(TRUNCATE, t.inode, 0, "", 0);
  }
  pthread_mutex_unlock(&lock);
  errno = saved;
  return fd;
}

#define OPEN_MODE mode_t mode = 0; if (flags & (O_CREAT | __O_TMPFILE)) { va_list ap; va_start(ap, flags); mode = va_arg(ap, mode_t); va_end(ap); }
int open(const char *path, int flags, ...) { OPEN_MODE return track_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { OPEN_MODE return track_open(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int dirfd, const char *path, int flags, ...) { OPEN_MODE return track_open(dirfd, path, flags, mode); }
int openat64(int dirfd, const char *path, int flags, ...) { OPEN_MODE return track_open(dirfd, path, flags | O_LARGEFILE, mode); }
int creat(const char *path, mode_t mode) { return track_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) {
  if (fd >= 0 && fd == journal) return 0;
  if (fd >= 0 && fd < FD_MAX) memset(&fds[fd], 0, sizeof fds[fd]);
  return syscall(SYS_close, fd);
}

/* Whether fd is still what track_open saw: libuv closes by a bare system call, and the number may be a socket's by now. */
static int is_tracked(int fd) {
  struct stat st;
  if (!active() || fd < 0 || fd >= FD_MAX || !(fds[fd].is_file || fds[fd].is_directory)) return 0;
  if (syscall(SYS_fstat, fd, &st) == 0 && st.st_ino == fds[fd].inode && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) return 1;
  memset(&fds[fd], 0, sizeof fds[fd]);
  return 0;
}
static int is_file(int fd) { return is_tracked(fd) && fds[fd].is_file; }

/* position -1: at the descriptor's own. Handles the injected disk faults, then journals what went through. */
static ssize_t track_write(int fd, const struct iovec *parts, int count, off_t position) {
  size_t wanted = 0;
  for (int i = 0; i < count; i++) wanted += parts[i].iov_len;
  pthread_mutex_lock(&lock);
  struct iovec shorter[1024];
  if (!strcmp(fault_kind, "write") && bytes_written + (long)wanted > fault_at) {
    long room = fault_at - bytes_written;
    if (room <= 0 || count > 1024) { pthread_mutex_unlock(&lock); errno = fault_number; return -1; }
    size_t left = room; int n = 0;
    for (; n < count && left > 0; n++) { shorter[n] = parts[n]; if (shorter[n].iov_len > left) shorter[n].iov_len = left; left -= shorter[n].iov_len; }
    parts = shorter; count = n;
  }
  ssize_t wrote = position < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, position, 0);
  int saved = errno;
  if (wrote > 0) {
    bytes_written += wrote;
    uint64_t at = position < 0 ? (uint64_t)(syscall(SYS_lseek, fd, 0, SEEK_CUR) - wrote) : (uint64_t)position;
    append(WRITE, fds[fd].inode, at, parts, count, wrote);
    if (fds[fd].syncs_each_write) append_text(SYNC, fds[fd].inode, journal_length, "", 0);
  }
  pthread_mutex_unlock(&lock);
  errno = saved;
  return wrote;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  if (!is_file(fd)) return syscall(SYS_write, fd, bytes, length);
  struct iovec part = {(void *)bytes, length};
  return track_write(fd, &part, 1, -1);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  return is_file(fd) ? track_write(fd, parts, count, -1) : syscall(SYS_writev, fd, parts, count);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t position) {
  if (!is_file(fd)) return syscall(SYS_pwrite64, fd, bytes, length, position);
  struct iovec part = {(void *)bytes, length};
  return track_write(fd, &part, 1, position);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t position) { return pwrite(fd, bytes, length, position); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t position) {
  return is_file(fd) ? track_write(fd, parts, count, position) : syscall(SYS_pwritev, fd, parts, count, position, 0);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t position) { return pwritev(fd, parts, count, position); }

static int track_sync(int fd, long number) {
  if (!is_tracked(fd)) return syscall(number, fd);
  struct tracked t = fds[fd];
  char path[PATH_MAX] = "";
  if (t.is_directory) {
    char link[64]; snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n < 0 ? 0 : n] = 0;
  }
  pthread_mutex_lock(&lock);
  uint64_t began = journal_length;
  long nth = t.is_file ? ++syncs_done : 0;
  if (!strcmp(fault_kind, "sync") && nth == fault_at) {
    append_text(LOST, t.inode, began, "", 0);
    pthread_mutex_unlock(&lock);
    errno = fault_number;
    return -1;
  }
  pthread_mutex_unlock(&lock);
  if (!strcmp(fault_kind, "slow") && nth > 0 && fault_at > 0 && nth % fault_at == 0) {
    struct timespec pause = {fault_number / 1000, (fault_number % 1000) * 1000000L};
    nanosleep(&pause, 0);
  }
  int result = syscall(number, fd), saved = errno;
  if (result == 0) {
    pthread_mutex_lock(&lock);
    append_text(t.is_file ? SYNC : SYNC_DIR, t.inode, began, path, strlen(path));
    pthread_mutex_unlock(&lock);
  }
  errno = saved;
  return result;
}
int fsync(int fd) { return track_sync(fd, SYS_fsync); }
int fdatasync(int fd) { return track_sync(fd, SYS_fdatasync); }

int ftruncate(int fd, off_t size) {
  if (!is_file(fd)) return syscall(SYS_ftruncate, fd, size);
  pthread_mutex_lock(&lock);
  int result = syscall(SYS_ftruncate, fd, size), saved = errno;
  if (result == 0) append_text(TRUNCATE, fds[fd].inode, size, "", 0);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return result;
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

int fallocate(int fd, int mode, off_t offset, off_t length) {
  int result = syscall(SYS_fallocate, fd, mode, offset, length), saved = errno;
  if (result == 0 && is_file(fd)) {
    struct stat st;
    pthread_mutex_lock(&lock);
    if (syscall(SYS_fstat, fd, &st) == 0) append_text(TRUNCATE, fds[fd].inode, st.st_size, "", 0);
    pthread_mutex_unlock(&lock);
  }
  errno = saved;
  return result;
}
int fallocate64(int fd, int mode, off_t offset, off_t length) { return fallocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return fallocate(fd, 0, offset, length) == 0 ? 0 : errno; }
int posix_fallocate64(int fd, off_t offset, off_t length) { return posix_fallocate(fd, offset, length); }

static int track_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
  char source[PATH_MAX], target[PATH_MAX], both[2 * PATH_MAX];
  int watched = active() && resolve(from_dir, from, source) && resolve(to_dir, to, target) && inside(source) && inside(target);
  if (!watched) return syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
  pthread_mutex_lock(&lock);
  int result = syscall(SYS_renameat2, from_dir, from, to_dir, to, flags), saved = errno;
  if (result == 0) {
    size_t n = strlen(source), m = strlen(target);
    memcpy(both, source, n + 1); memcpy(both + n + 1, target, m);
    append_text(RENAME, 0, 0, both, n + 1 + m);
  }
  pthread_mutex_unlock(&lock);
  errno = saved;
  return result;
}
int rename(const char *from, const char *to) { return track_rename(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_dir, const char *from, int to_dir, const char *to) { return track_rename(from_dir, from, to_dir, to, 0); }
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) { return track_rename(from_dir, from, to_dir, to, flags); }

/* unlink, rmdir and mkdir: one name, one record. */
static int track_name(uint32_t kind, int dirfd, const char *name, int flags_or_mode) {
  char path[PATH_MAX];
  int watched = active() && resolve(dirfd, name, path) && inside(path);
  pthread_mutex_lock(&lock);
  int result = kind == MKDIR ? syscall(SYS_mkdirat, dirfd, name, flags_or_mode) : syscall(SYS_unlinkat, dirfd, name, flags_or_mode);
  int saved = errno;
  if (result == 0 && watched) append_text(kind, 0, 0, path, strlen(path));
  pthread_mutex_unlock(&lock);
  errno = saved;
  return result;
}
int unlink(const char *path) { return track_name(UNLINK, AT_FDCWD, path, 0); }
int unlinkat(int dirfd, const char *path, int flags) { return track_name(UNLINK, dirfd, path, flags); }
int rmdir(const char *path) { return track_name(UNLINK, AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
  int result = unlink(path);
  return result != 0 && (errno == EISDIR || errno == EPERM) ? rmdir(path) : result;
}
int mkdir(const char *path, mode_t mode) { return track_name(MKDIR, AT_FDCWD, path, mode); }
int mkdirat(int dirfd, const char *path, mode_t mode) { return track_name(MKDIR, dirfd, path, mode); }
