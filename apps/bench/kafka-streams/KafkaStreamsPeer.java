import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The temperature job on Kafka Streams, as its users would write it: the Processor API, a persistent (RocksDB) store with its changelog,
 * exactly_once_v2. It measures itself from the first record processed to the commit that covers the last one, prints one line that begins
 * with RESULT, and ends.
 *
 * Arguments, as name=value: brokers, applicationId, input, output, records, threads, intervalMs, stateDir, threshold,
 * cacheBytes (the record cache of the whole process; 0 leaves the cache out).
 */
public final class KafkaStreamsPeer {
    private static final String STORE = "last-temperature";
    /** Milliseconds between two looks at the committed offsets, once every record was processed. */
    private static final long POLL_MS = 5;

    private static final LongAdder processed = new LongAdder();
    private static final AtomicReference<Mark> first = new AtomicReference<>();

    public static void main(String[] args) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (String arg : args) {
            int equals = arg.indexOf('=');
            options.put(arg.substring(0, equals), arg.substring(equals + 1));
        }
        long records = Long.parseLong(options.get("records"));
        CountDownLatch failed = new CountDownLatch(1);
        try (KafkaStreams streams = new KafkaStreams(topology(options).build(), config(options));
                Admin admin = Admin.create(Map.of("bootstrap.servers", options.get("brokers")))) {
            streams.setUncaughtExceptionHandler(thrown -> {
                thrown.printStackTrace();
                failed.countDown();
                return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            Map<TopicPartition, Long> ends = ends(admin, options.get("input"));
            streams.start();
            while (processed.sum() < records || !covers(admin, options.get("applicationId"), ends)) {
                if (failed.await(POLL_MS, TimeUnit.MILLISECONDS)) System.exit(1);
            }
            report(first.get(), Mark.now(), processed.sum());
        }
    }

    private static StreamsBuilder topology(Map<String, String> options) {
        double threshold = Double.parseDouble(options.get("threshold"));
        StoreBuilder<KeyValueStore<String, Double>> store =
                Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.String(), Serdes.Double());
        StoreBuilder<KeyValueStore<String, Double>> chosen =
                Long.parseLong(options.get("cacheBytes")) > 0 ? store.withCachingEnabled() : store.withCachingDisabled();
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(options.get("input"), Consumed.with(Serdes.String(), Serdes.serdeFrom(noSerializer(), READING)))
                .process(new ProcessorSupplier<String, Reading, String, Alert>() {
                    @Override
                    public Processor<String, Reading, String, Alert> get() {
                        return new TemperatureChange(threshold);
                    }

                    @Override
                    public Set<StoreBuilder<?>> stores() {
                        return Set.of(chosen);
                    }
                })
                .to(options.get("output"), Produced.with(Serdes.String(), Serdes.serdeFrom(ALERT, noDeserializer())));
        return builder;
    }

    private static Properties config(Map<String, String> options) {
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, options.get("applicationId"));
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("brokers"));
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, options.get("intervalMs"));
        config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, options.get("threads"));
        config.put(StreamsConfig.STATE_DIR_CONFIG, options.get("stateDir"));
        config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, options.get("cacheBytes"));
        config.put("auto.offset.reset", "earliest");
        return config;
    }

    private record Reading(String id, long timestamp, double temperature) {}

    private record Alert(String id, double lastTemperature, double temperature, long timestamp) {}

    private static final class TemperatureChange implements Processor<String, Reading, String, Alert> {
        private final double threshold;
        private ProcessorContext<String, Alert> context;
        private KeyValueStore<String, Double> last;

        TemperatureChange(double threshold) {
            this.threshold = threshold;
        }

        @Override
        public void init(ProcessorContext<String, Alert> context) {
            this.context = context;
            this.last = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<String, Reading> record) {
            if (first.get() == null) first.compareAndSet(null, Mark.now());
            Reading reading = record.value();
            Double before = last.get(reading.id());
            last.put(reading.id(), reading.temperature());
            if (before != null && Math.abs(reading.temperature() - before) >= threshold) {
                Alert alert = new Alert(reading.id(), before, reading.temperature(), reading.timestamp());
                context.forward(record.withValue(alert));
            }
            processed.increment();
        }
    }

    private static final Deserializer<Reading> READING = (topic, bytes) -> {
        String line = new String(bytes, StandardCharsets.UTF_8);
        int one = line.indexOf(',');
        int two = line.indexOf(',', one + 1);
        return new Reading(line.substring(0, one), Long.parseLong(line, one + 1, two, 10), Double.parseDouble(line.substring(two + 1)));
    };

    private static final Serializer<Alert> ALERT = (topic, alert) -> ("{\"id\":\"" + alert.id() + "\",\"lastTemperature\":" + alert.lastTemperature()
            + ",\"temperature\":" + alert.temperature() + ",\"timestamp\":" + alert.timestamp() + "}").getBytes(StandardCharsets.UTF_8);

    private static <T> Serializer<T> noSerializer() {
        return (topic, value) -> {
            throw new UnsupportedOperationException("readings are only read");
        };
    }

    private static <T> Deserializer<T> noDeserializer() {
        return (topic, bytes) -> {
            throw new UnsupportedOperationException("alerts are only written");
        };
    }

    /** Where readers of committed records end now. */
    private static Map<TopicPartition, Long> ends(Admin admin, String topic) throws Exception {
        List<TopicPartition> partitions = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().stream()
                .map(partition -> new TopicPartition(topic, partition.partition()))
                .toList();
        Map<TopicPartition, OffsetSpec> latest = partitions.stream().collect(Collectors.toMap(each -> each, each -> OffsetSpec.latest()));
        Map<TopicPartition, Long> ends = new HashMap<>();
        admin.listOffsets(latest, new ListOffsetsOptions(IsolationLevel.READ_COMMITTED)).all().get()
                .forEach((partition, info) -> ends.put(partition, info.offset()));
        return ends;
    }

    /** Whether the group's committed offsets cover every record; the marker of a transaction at the very end need not be covered. */
    private static boolean covers(Admin admin, String group, Map<TopicPartition, Long> ends) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> committed = admin.listConsumerGroupOffsets(group, new ListConsumerGroupOffsetsOptions().requireStable(true))
                .partitionsToOffsetAndMetadata().get();
        return ends.entrySet().stream().allMatch(end -> {
            OffsetAndMetadata offset = committed.get(end.getKey());
            return offset != null && offset.offset() >= end.getValue() - 1;
        });
    }

    private record Mark(long nanos, long cpuNanos) {
        static Mark now() {
            var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
            return new Mark(System.nanoTime(), system.getProcessCpuTime());
        }
    }

    private static void report(Mark begin, Mark end, long records) {
        System.out.printf("RESULT {\"records\":%d,\"elapsedMs\":%d,\"cpuMs\":%d,\"peakRssBytes\":%d}%n",
                records, (end.nanos() - begin.nanos()) / 1_000_000, (end.cpuNanos() - begin.cpuNanos()) / 1_000_000, peakRssBytes());
    }

    /** 0 where the system does not tell. */
    private static long peakRssBytes() {
        try {
            return Files.readAllLines(Path.of("/proc/self/status")).stream()
                    .filter(line -> line.startsWith("VmHWM:"))
                    .map(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
                    .findFirst().orElse(0L);
        } catch (IOException | NumberFormatException thrown) {
            return 0;
        }
    }
}
