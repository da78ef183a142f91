/* Writes through Apache's C client, one write at a time, and tells what came of each, until its standard input ends. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

static volatile int is_connected;

static void on_event(zhandle_t *handle, int type, int state, const char *path, void *context) {
  (void)handle; (void)path; (void)context;
  if (type != ZOO_SESSION_EVENT) return;
  if (state == ZOO_CONNECTED_STATE) is_connected = 1;
  if (state == ZOO_EXPIRED_SESSION_STATE) printf("lost the session expired\n");
}

static void tell(const char *path, int value, int code) {
  if (code == ZOK) {
    printf("ack %s %d\n", path, value);
  } else if (code == ZCONNECTIONLOSS || code == ZOPERATIONTIMEOUT) {
    printf("unknown %s %d\n", path, value);
    usleep(20000);
  } else {
    printf("lost %s: %s\n", path, zerror(code));
    usleep(500000);
  }
}

static int is_told_to_stop(void) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  char byte;
  return poll(&input, 1, 0) > 0 && read(0, &byte, 1) <= 0;
}

static void must(const char *what, int code) {
  if (code == ZOK) return;
  printf("lost %s: %s\n", what, zerror(code));
  exit(1);
}

int main(int count, char **words) {
  if (count < 3) return 2;
  const char *home = words[2];
  char path[512], value[32], reg[512], ephemeral[512];
  setvbuf(stdout, NULL, _IOLBF, 0);
  zoo_set_debug_level(0);
  zhandle_t *handle = zookeeper_init(words[1], on_event, 20000, NULL, NULL, 0);
  for (int at = 0; at < 3000 && !is_connected; at++) usleep(10000);
  snprintf(reg, sizeof reg, "%s/register", home);
  snprintf(ephemeral, sizeof ephemeral, "%s/ephemeral", home);
  must("home", zoo_create(handle, home, "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
  must("ephemeral", zoo_create(handle, ephemeral, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0));
  must("register", zoo_create(handle, reg, "0", 1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
  printf("session %llx\n", (unsigned long long)zoo_client_id(handle)->client_id);
  for (int n = 1; !is_told_to_stop(); n++) {
    int length = snprintf(value, sizeof value, "%d", n);
    snprintf(path, sizeof path, "%s/n%d", home, n);
    tell(path, n, zoo_create(handle, path, value, length, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0));
    tell(reg, n, zoo_set(handle, reg, value, length, -1));
    usleep(10000);
  }
  printf("session %llx\ndone\n", (unsigned long long)zoo_client_id(handle)->client_id);
  zookeeper_close(handle);
  return 0;
}
