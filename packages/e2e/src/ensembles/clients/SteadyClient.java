import java.util.concurrent.CountDownLatch;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

/** Writes through Apache's Java client, one write at a time, and tells what came of each, until its standard input ends. */
public class SteadyClient {
  private interface Action {
    void run() throws KeeperException, InterruptedException;
  }

  private static volatile boolean isStopped = false;

  private static synchronized void say(String line) {
    System.out.println(line);
  }

  private static void attempt(String path, int value, Action action) throws InterruptedException, KeeperException {
    try {
      action.run();
      say("ack " + path + " " + value);
    } catch (KeeperException.ConnectionLossException error) {
      say("unknown " + path + " " + value);
      Thread.sleep(20);
    } catch (KeeperException.SessionExpiredException error) {
      say("lost " + error.getMessage());
      Thread.sleep(500);
    }
  }

  public static void main(String[] arguments) throws Exception {
    String home = arguments[1];
    CountDownLatch connected = new CountDownLatch(1);
    ZooKeeper client = new ZooKeeper(arguments[0], 20_000, event -> {
      if (event.getState() == KeeperState.SyncConnected) connected.countDown();
      if (event.getState() == KeeperState.Expired) say("lost the session expired");
    });
    connected.await();
    client.create(home, new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    client.create(home + "/ephemeral", new byte[0], Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
    client.create(home + "/register", "0".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    say("session " + Long.toHexString(client.getSessionId()));
    Thread stopper = new Thread(() -> {
      try {
        while (System.in.read() >= 0) {}
      } catch (java.io.IOException error) {
        // Its end is what this waits for, however it comes.
      }
      isStopped = true;
    });
    stopper.setDaemon(true);
    stopper.start();
    for (int n = 1; !isStopped; n++) {
      byte[] value = String.valueOf(n).getBytes();
      String path = home + "/n" + n;
      attempt(path, n, () -> client.create(path, value, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
      attempt(home + "/register", n, () -> client.setData(home + "/register", value, -1));
      Thread.sleep(10);
    }
    say("session " + Long.toHexString(client.getSessionId()));
    say("done");
    client.close();
  }
}
