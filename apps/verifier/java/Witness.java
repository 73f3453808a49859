import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.utils.Utils;

/**
 * The independent witness: Kafka's own Java client tells what lies in the topics, so that a defect of Weir's reader cannot hide itself.
 * It only reads. Commands come as lines on standard input, and it ends with it; each answer is lines, the last of them `done` or
 * `error <message>`. Bytes are base64, `.` if empty, `-` if null.
 *
 *   read TOPIC committed|uncommitted   r PARTITION OFFSET HOME KEY VALUE, from the start to the end as it is now; HOME is the partition
 *                                      where the Java client's own murmur2 puts the key, -1 without a key
 *   last TOPIC KEY                     l PARTITION OFFSET VALUE, of the last committed record with that key in each partition that has one
 *   ends TOPIC                         e PARTITION START LAST_STABLE HIGH_WATERMARK; nothing if there is no such topic
 *   offsets GROUP                      o TOPIC PARTITION OFFSET
 *   open TOPIC                         t PARTITION PRODUCER_ID PRODUCER_EPOCH START_OFFSET, of each open transaction
 *   lagging                            n COUNT, of replicas of partitions of all topics that are not in sync, or have no leader
 *   follow TOPIC                       from now on, at any time: f TOPIC PARTITION OFFSET HOME KEY VALUE, of committed records from the
 *                                      start
 *   unfollow TOPIC                     answers once the follower has read to the last stable offset as it is now; then it ends
 */
public final class Witness {
  private static final Duration POLL = Duration.ofMillis(100);
  private static final Duration KNOWN_LIMIT = Duration.ofSeconds(5);
  private static final Base64.Encoder BASE64 = Base64.getEncoder();
  private static final PrintWriter OUT = new PrintWriter(new OutputStreamWriter(System.out, StandardCharsets.US_ASCII), false);

  private final String brokers;
  private final Admin admin;
  private final Map<String, KafkaConsumer<byte[], byte[]>> readers = new TreeMap<>();
  private final Map<String, Follower> followers = new ConcurrentHashMap<>();

  private Witness(String brokers) {
    this.brokers = brokers;
    Properties settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    admin = Admin.create(settings);
  }

  public static void main(String[] args) throws Exception {
    Witness witness = new Witness(args[0]);
    say(List.of("ready"));
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      try {
        witness.answer(line.split(" "));
        say(List.of("done"));
      } catch (Exception thrown) {
        Throwable cause = thrown.getCause() == null ? thrown : thrown.getCause();
        say(List.of("error " + cause.toString().replaceAll("\\s+", " ")));
      }
    }
    Runtime.getRuntime().halt(0);
  }

  private void answer(String[] words) throws Exception {
    switch (words[0]) {
      case "read" -> read(words[1], words[2]);
      case "last" -> last(words[1], Base64.getDecoder().decode(words[2]));
      case "ends" -> ends(words[1]);
      case "offsets" -> offsets(words[1]);
      case "open" -> open(words[1]);
      case "lagging" -> lagging();
      case "follow" -> followers.computeIfAbsent(words[1], topic -> new Follower(topic, consumer("read_committed")));
      case "unfollow" -> followers.remove(words[1]).finish();
      default -> throw new IllegalArgumentException("no command " + words[0]);
    }
  }

  private void read(String topic, String level) throws Exception {
    KafkaConsumer<byte[], byte[]> reader = readers.computeIfAbsent("read_" + level, this::consumer);
    List<TopicPartition> partitions = partitionsOnceKnown(topic);
    Map<TopicPartition, Long> ends = reader.endOffsets(partitions);
    reader.assign(partitions);
    reader.seekToBeginning(partitions);
    while (!reached(reader, ends)) {
      for (ConsumerRecord<byte[], byte[]> record : reader.poll(POLL)) {
        boolean asked = record.offset() < ends.get(new TopicPartition(topic, record.partition()));
        if (asked) print(List.of("r " + text(record, partitions.size())));
      }
    }
    reader.unsubscribe();
  }

  private void last(String topic, byte[] key) throws Exception {
    KafkaConsumer<byte[], byte[]> reader = readers.computeIfAbsent("read_committed", this::consumer);
    List<TopicPartition> partitions = partitionsOnceKnown(topic);
    Map<TopicPartition, Long> starts = reader.beginningOffsets(partitions);
    Map<TopicPartition, Long> ends = reader.endOffsets(partitions);
    for (TopicPartition partition : partitions) {
      ConsumerRecord<byte[], byte[]> found = null;
      long end = ends.get(partition);
      // The key is expected near the end; if it is not, look from further back.
      for (long back = 100; found == null && end > starts.get(partition); back *= 10) {
        long from = Math.max(starts.get(partition), end - back);
        found = lastIn(reader, partition, from, end, key);
        if (from == starts.get(partition)) break;
      }
      if (found != null) print(List.of("l " + partition.partition() + " " + found.offset() + " " + bytes(found.value())));
    }
    reader.unsubscribe();
  }

  private static ConsumerRecord<byte[], byte[]> lastIn(
      KafkaConsumer<byte[], byte[]> reader, TopicPartition partition, long from, long end, byte[] key) {
    ConsumerRecord<byte[], byte[]> found = null;
    reader.assign(List.of(partition));
    reader.seek(partition, from);
    while (reader.position(partition) < end) {
      for (ConsumerRecord<byte[], byte[]> record : reader.poll(POLL)) if (Arrays.equals(record.key(), key)) found = record;
    }
    return found;
  }

  private void ends(String topic) throws Exception {
    List<TopicPartition> partitions;
    try {
      partitions = partitions(topic);
    } catch (ExecutionException thrown) {
      if (thrown.getCause() instanceof UnknownTopicOrPartitionException) return;
      throw thrown;
    }
    KafkaConsumer<byte[], byte[]> committed = readers.computeIfAbsent("read_committed", this::consumer);
    KafkaConsumer<byte[], byte[]> uncommitted = readers.computeIfAbsent("read_uncommitted", this::consumer);
    Map<TopicPartition, Long> starts = committed.beginningOffsets(partitions);
    Map<TopicPartition, Long> stable = committed.endOffsets(partitions);
    Map<TopicPartition, Long> high = uncommitted.endOffsets(partitions);
    for (TopicPartition each : partitions) {
      print(List.of("e " + each.partition() + " " + starts.get(each) + " " + stable.get(each) + " " + high.get(each)));
    }
  }

  private void offsets(String group) throws Exception {
    admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((partition, offset) -> {
      if (offset != null) print(List.of("o " + partition.topic() + " " + partition.partition() + " " + offset.offset()));
    });
  }

  private void open(String topic) throws Exception {
    for (TopicPartition partition : partitionsOnceKnown(topic)) {
      var producers = onceKnown(() -> admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers());
      producers.forEach(producer -> {
        producer.currentTransactionStartOffset().ifPresent(start ->
            print(List.of("t " + partition.partition() + " " + producer.producerId() + " " + producer.producerEpoch() + " " + start)));
      });
    }
  }

  private void lagging() throws Exception {
    var topics = admin.describeTopics(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get()).allTopicNames().get();
    long count = topics.values().stream().flatMap(topic -> topic.partitions().stream())
        .mapToLong(partition -> partition.replicas().size() - partition.isr().size() + (partition.leader() == null ? 1 : 0)).sum();
    print(List.of("n " + count));
  }

  /** Of a topic that was made: perhaps a moment ago, and then a broker may not know it yet. */
  private List<TopicPartition> partitionsOnceKnown(String topic) throws Exception {
    return onceKnown(() -> partitions(topic));
  }

  private static <T> T onceKnown(Callable<T> ask) throws Exception {
    for (long deadline = System.nanoTime() + KNOWN_LIMIT.toNanos(); ; Thread.sleep(50)) {
      try {
        return ask.call();
      } catch (ExecutionException thrown) {
        if (!(thrown.getCause() instanceof UnknownTopicOrPartitionException) || System.nanoTime() > deadline) throw thrown;
      }
    }
  }

  private List<TopicPartition> partitions(String topic) throws Exception {
    int count = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
    return IntStream.range(0, count).mapToObj(partition -> new TopicPartition(topic, partition)).collect(Collectors.toList());
  }

  private KafkaConsumer<byte[], byte[]> consumer(String level) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("isolation.level", level);
    settings.put("enable.auto.commit", "false");
    settings.put("auto.offset.reset", "none");
    settings.put("max.poll.records", "2000");
    settings.put("allow.auto.create.topics", "false");
    return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  private static boolean reached(KafkaConsumer<byte[], byte[]> reader, Map<TopicPartition, Long> ends) {
    return ends.entrySet().stream().allMatch(end -> reader.position(end.getKey()) >= end.getValue());
  }

  private static String text(ConsumerRecord<byte[], byte[]> record, int partitions) {
    int home = record.key() == null ? -1 : Utils.toPositive(Utils.murmur2(record.key())) % partitions;
    return record.partition() + " " + record.offset() + " " + home + " " + bytes(record.key()) + " " + bytes(record.value());
  }

  private static String bytes(byte[] data) {
    return data == null ? "-" : data.length == 0 ? "." : BASE64.encodeToString(data);
  }

  private static void print(List<String> lines) {
    synchronized (OUT) {
      for (String line : lines) {
        OUT.print(line);
        OUT.print('\n');
      }
    }
  }

  private static void say(List<String> lines) {
    synchronized (OUT) {
      print(lines);
      OUT.flush();
    }
  }

  /** Reads committed records of a topic for as long as the faults go on. */
  private final class Follower {
    private final Thread thread;
    private final String topic;
    private volatile boolean finishing;
    private volatile Exception failure;

    Follower(String topic, KafkaConsumer<byte[], byte[]> reader) {
      this.topic = topic;
      thread = new Thread(() -> {
        try (reader) {
          run(reader);
        } catch (Exception thrown) {
          failure = thrown;
        }
      });
      thread.setDaemon(true);
      thread.start();
    }

    private void run(KafkaConsumer<byte[], byte[]> reader) throws Exception {
      List<TopicPartition> partitions = partitionsOnceKnown(topic);
      reader.assign(partitions);
      reader.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = null;
      while (ends == null || !reached(reader, ends)) {
        if (ends == null && finishing) ends = reader.endOffsets(partitions);
        List<String> lines = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : reader.poll(POLL)) lines.add("f " + topic + " " + text(record, partitions.size()));
        say(lines);
      }
    }

    void finish() throws Exception {
      finishing = true;
      thread.join();
      if (failure != null) throw failure;
    }
  }
}
