import java.util.Arrays;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Kafka Streams: RocksDB store with a changelog topic. The two arguments are processing.guarantee and
 * commit.interval.ms. The row of a key is its highest version (29 bytes) and its last 16 event ids, newest first.
 */
public final class LastWriterWins implements Processor<byte[], byte[], byte[], byte[]> {
    private static final int ID = 16;
    private static final int VERSION = 29;
    private static final int LONGEST = VERSION + 16 * ID;

    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<byte[], byte[]> rows;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
        this.context = context;
        this.rows = context.getStateStore("rows");
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        byte[] header = record.headers().lastHeader("sluice").value();
        byte[] row = rows.get(record.key());
        if (row != null && seen(row, header)) {
            return;
        }
        boolean wins = row == null || Arrays.compareUnsigned(header, ID, ID + VERSION, row, 0, VERSION) > 0;
        rows.put(record.key(), updated(row, header, wins));
        if (wins) {
            context.forward(record.withHeaders(new RecordHeaders()));
        }
    }

    private static boolean seen(byte[] row, byte[] header) {
        for (int at = VERSION; at < row.length; at += ID) {
            if (Arrays.equals(row, at, at + ID, header, 0, ID)) {
                return true;
            }
        }
        return false;
    }

    private static byte[] updated(byte[] row, byte[] header, boolean wins) {
        int older = row == null ? 0 : row.length - VERSION;
        byte[] next = new byte[Math.min(LONGEST, VERSION + ID + older)];
        System.arraycopy(wins ? header : row, wins ? ID : 0, next, 0, VERSION);
        System.arraycopy(header, 0, next, VERSION, ID);
        if (row != null) {
            System.arraycopy(row, VERSION, next, VERSION + ID, next.length - VERSION - ID);
        }
        return next;
    }

    public static void main(String[] arguments) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(
            Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("rows"), Serdes.ByteArray(), Serdes.ByteArray()));
        builder.<byte[], byte[]>stream(System.getenv("PEER_SOURCE"))
            .process(LastWriterWins::new, "rows")
            .to(System.getenv("PEER_OUTPUT"));

        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("PEER_GROUP"));
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("PEER_BOOTSTRAP"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("PEER_FOLDER"));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, arguments[0]);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, arguments[1]);
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArray().getClass());
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArray().getClass());
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        settings.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, "lz4");

        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.ERROR) {
                Runtime.getRuntime().halt(1);
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
