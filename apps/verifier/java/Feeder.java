import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Writes lines of standard input to topics, with Kafka's own Java client and its own choice of the partition by key.
 * Ends with its input, once everything is acknowledged.
 *
 *   arguments: BROKERS COMPRESSION TRANSACTIONAL_ID|-
 *   create TOPIC PARTITIONS   creates a topic; it may be there already
 *   send TOPIC KEY VALUE      without a space in key or value
 *   remove TOPIC KEY          sends a tombstone
 *   commit | abort            ends the transaction; the next send begins one. Only with a transactional id
 *   flush                     answered with `flushed SENT` once all that was sent is acknowledged
 */
public final class Feeder {
  public static void main(String[] args) {
    try {
      run(args);
    } catch (Exception thrown) {
      // Kafka's exceptions have no stack, and the launcher of single files trips over that.
      System.err.println(thrown);
      Runtime.getRuntime().halt(1);
    }
  }

  private static void run(String[] args) throws Exception {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", args[0]);
    settings.put("compression.type", args[1]);
    settings.put("linger.ms", "5");
    settings.put("acks", "all");
    settings.put("enable.idempotence", "true");
    // A broker takes a producer's first batch for a partition whatever its sequence number is. If the very first one is turned away because
    // the broker does not know a new topic yet, and the second is taken, the first can never be: so one at a time.
    settings.put("max.in.flight.requests.per.connection", "1");
    // Brokers may be down for a while, one after another: what was taken is sent in the end.
    settings.put("delivery.timeout.ms", "600000");
    settings.put("max.block.ms", "600000");
    boolean transactional = !args[2].equals("-");
    if (transactional) settings.put("transactional.id", args[2]);

    AtomicLong acknowledged = new AtomicLong();
    AtomicReference<Exception> failure = new AtomicReference<>();
    boolean open = false;
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
      if (transactional) producer.initTransactions();
      System.out.println("ready");
      BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        String[] words = line.split(" ");
        switch (words[0]) {
          case "create" -> create(settings, words[1], Integer.parseInt(words[2]));
          case "send", "remove" -> {
            if (transactional && !open) producer.beginTransaction();
            open = true;
            producer.send(new ProducerRecord<>(words[1], words[2], words.length > 3 ? words[3] : null), (metadata, thrown) -> {
              if (thrown == null) acknowledged.incrementAndGet();
              else failure.compareAndSet(null, thrown);
            });
          }
          case "commit" -> {
            if (open) producer.commitTransaction();
            open = false;
          }
          case "abort" -> {
            producer.flush(); // so that the aborted records do lie in the log
            if (open) producer.abortTransaction();
            open = false;
          }
          case "flush" -> {
            producer.flush();
            if (failure.get() != null) throw failure.get();
            System.out.println("flushed " + acknowledged.get());
          }
          default -> throw new IllegalArgumentException("no command " + words[0]);
        }
        if (failure.get() != null) throw failure.get();
      }
      producer.flush();
      if (failure.get() != null) throw failure.get();
    }
  }

  private static void create(Properties settings, String topic, int partitions) throws Exception {
    Properties own = new Properties();
    own.put("bootstrap.servers", settings.get("bootstrap.servers"));
    try (Admin admin = Admin.create(own)) {
      admin.createTopics(List.of(new NewTopic(topic, partitions, (short) -1))).all().get();
    } catch (ExecutionException thrown) {
      if (!(thrown.getCause() instanceof TopicExistsException)) throw thrown;
    }
    System.out.println("created " + topic);
  }
}
