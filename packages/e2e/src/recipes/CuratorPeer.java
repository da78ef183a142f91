import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;

/** A contender of Curator that does what its standard input says, one command a line, one answer a line. */
public class CuratorPeer {
  private static CuratorFramework client;
  private static final Map<String, Object> things = new HashMap<>();
  private static final Map<String, Lease> leases = new HashMap<>();

  public static void main(String[] arguments) throws Exception {
    int timeoutMs = (int) (Double.parseDouble(arguments[1]) * 1000);
    client = CuratorFrameworkFactory.newClient(arguments[0], timeoutMs, 10_000, new ExponentialBackoffRetry(100, 20));
    client.start();
    client.blockUntilConnected();
    System.out.println("ready");
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String answer;
      try {
        answer = answer(line.split(" "));
      } catch (Exception error) {
        answer = "error " + error;
      }
      System.out.println(answer);
    }
    client.close();
  }

  private static String answer(String[] words) throws Exception {
    String key = words.length > 2 ? words[1] + " " + words[2] : "";
    switch (words[0]) {
      case "make":
        things.put(key, make(words[1], words[2]));
        return "ok";
      case "acquire":
        return acquire(key, (long) (Double.parseDouble(words[3]) * 1000)) ? "yes" : "no";
      case "release":
        release(key);
        return "yes";
      case "leads":
        return ((LeaderLatch) things.get(key)).hasLeadership() ? "yes" : "no";
      case "leader":
        return ((LeaderLatch) things.get(key)).getLeader().getId();
      case "race":
        return String.valueOf(race(key, Integer.parseInt(words[3]), words[4]));
      default:
        throw new IllegalArgumentException(words[0]);
    }
  }

  private static Object make(String kind, String path) throws Exception {
    switch (kind) {
      case "lock":
        return new InterProcessMutex(client, path);
      case "read":
        return new InterProcessReadWriteLock(client, path).readLock();
      case "write":
        return new InterProcessReadWriteLock(client, path).writeLock();
      case "semaphore":
        return new InterProcessSemaphoreV2(client, path, 2);
      case "latch":
        LeaderLatch latch = new LeaderLatch(client, path, "curator");
        latch.start();
        return latch;
      default:
        throw new IllegalArgumentException(kind);
    }
  }

  private static boolean acquire(String key, long waitMs) throws Exception {
    Object thing = things.get(key);
    if (!(thing instanceof InterProcessSemaphoreV2)) {
      return ((InterProcessLock) thing).acquire(waitMs, TimeUnit.MILLISECONDS);
    }
    Lease lease = ((InterProcessSemaphoreV2) thing).acquire(waitMs, TimeUnit.MILLISECONDS);
    if (lease != null) leases.put(key, lease);
    return lease != null;
  }

  private static void release(String key) throws Exception {
    Object thing = things.get(key);
    if (thing instanceof LeaderLatch) ((LeaderLatch) thing).close();
    else if (thing instanceof InterProcessSemaphoreV2) leases.remove(key).close();
    else ((InterProcessLock) thing).release();
  }

  /** Takes the lock so many times; each time nobody else may have left the marker. */
  private static int race(String key, int rounds, String marker) throws Exception {
    int overlaps = 0;
    InterProcessLock lock = (InterProcessLock) things.get(key);
    for (int round = 0; round < rounds; round++) {
      lock.acquire();
      try {
        client.create().withMode(CreateMode.EPHEMERAL).forPath(marker);
        client.delete().forPath(marker);
      } catch (KeeperException.NodeExistsException exists) {
        overlaps++;
      } finally {
        lock.release();
      }
    }
    return overlaps;
  }
}
