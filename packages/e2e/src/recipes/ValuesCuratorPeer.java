import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.UriSpec;

/** Curator's counters, queues, groups and discovery, told by its standard input what to do: a command and an answer a line. */
public class ValuesCuratorPeer {
  private static CuratorFramework client;
  private static final Map<String, Object> things = new HashMap<>();
  private static final StringBuffer consumed = new StringBuffer();

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
    String path = words[1];
    switch (words[0]) {
      case "count": {
        SharedCount count = new SharedCount(client, path, 0);
        count.start();
        count.setCount(count.getCount() + Integer.parseInt(words[2]));
        String value = String.valueOf(count.getCount());
        count.close();
        return value;
      }
      case "long":
        return String.valueOf(new DistributedAtomicLong(client, path, new ExponentialBackoffRetry(10, 10))
            .add(Long.parseLong(words[2])).postValue());
      case "enter":
        things.put(path, new DistributedDoubleBarrier(client, path, Integer.parseInt(words[2])));
        return ((DistributedDoubleBarrier) things.get(path)).enter(10, TimeUnit.SECONDS) ? "yes" : "no";
      case "leave":
        return ((DistributedDoubleBarrier) things.get(path)).leave(10, TimeUnit.SECONDS) ? "yes" : "no";
      case "offer":
        return String.valueOf(new SimpleDistributedQueue(client, path).offer(bytes(words[2])));
      case "poll": {
        byte[] data = new SimpleDistributedQueue(client, path).poll();
        return data == null ? "nothing" : new String(data, StandardCharsets.UTF_8);
      }
      case "priority":
        priorityQueue(path, null).put(words[2], Integer.parseInt(words[3]));
        return "ok";
      case "delay":
        delayQueue(path, null).put(words[2], System.currentTimeMillis() + Long.parseLong(words[3]));
        return "ok";
      case "consume":
        things.put(path, priorityQueue(path, consumer));
        return "ok";
      case "consume-delayed":
        things.put(path, delayQueue(path, consumer));
        return "ok";
      case "consumed":
        return consumed.toString();
      case "join": {
        GroupMember member = new GroupMember(client, path, words[2], bytes(words[3]));
        member.start();
        things.put(path, member);
        return "ok";
      }
      case "members":
        return String.join(",", new TreeSet<>(((GroupMember) things.get(path)).getCurrentMembers().keySet()));
      default:
        return discovery(words);
    }
  }

  private static String discovery(String[] words) throws Exception {
    String path = words[1];
    if (!things.containsKey(path)) {
      ServiceDiscovery<String> made = ServiceDiscoveryBuilder.builder(String.class).client(client).basePath(path).build();
      made.start();
      things.put(path, made);
    }
    @SuppressWarnings("unchecked")
    ServiceDiscovery<String> discovery = (ServiceDiscovery<String>) things.get(path);
    switch (words[0]) {
      case "register":
        ServiceInstance<String> instance = ServiceInstance.<String>builder().name(words[2]).id(words[3]).address("h")
            .port(Integer.parseInt(words[4])).payload(words[5]).uriSpec(new UriSpec("{scheme}://{address}:{port}")).build();
        discovery.registerService(instance);
        things.put(path + words[3], instance);
        return "ok";
      case "unregister": {
        @SuppressWarnings("unchecked")
        ServiceInstance<String> registered = (ServiceInstance<String>) things.get(path + words[2]);
        discovery.unregisterService(registered);
        return "ok";
      }
      case "names":
        return String.join(",", new TreeSet<>(discovery.queryForNames()));
      case "query": {
        ServiceInstance<String> found = discovery.queryForInstance(words[2], words[3]);
        return found == null ? "nothing" : String.join(" ", found.getName(), found.getId(), found.getAddress(),
            String.valueOf(found.getPort()), found.getPayload(), found.getServiceType().name(), found.buildUriSpec());
      }
      default:
        throw new IllegalArgumentException(words[0]);
    }
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static final QueueSerializer<String> serializer = new QueueSerializer<String>() {
    @Override
    public byte[] serialize(String item) {
      return bytes(item);
    }

    @Override
    public String deserialize(byte[] data) {
      return new String(data, StandardCharsets.UTF_8);
    }
  };

  private static final QueueConsumer<String> consumer = new QueueConsumer<String>() {
    @Override
    public void consumeMessage(String item) {
      consumed.append(item).append(',');
    }

    @Override
    public void stateChanged(CuratorFramework changed, ConnectionState state) {}
  };

  private static DistributedPriorityQueue<String> priorityQueue(String path, QueueConsumer<String> by) throws Exception {
    DistributedPriorityQueue<String> queue = QueueBuilder.builder(client, by, serializer, path).buildPriorityQueue(1);
    queue.start();
    return queue;
  }

  private static DistributedDelayQueue<String> delayQueue(String path, QueueConsumer<String> by) throws Exception {
    DistributedDelayQueue<String> queue = QueueBuilder.builder(client, by, serializer, path).buildDelayQueue();
    queue.start();
    return queue;
  }
}
