package testenv.spark;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkEnv;
import org.apache.spark.sql.execution.streaming.CheckpointFileManager.CancellableFSDataOutputStream;
import org.apache.spark.sql.execution.streaming.FileSystemBasedCheckpointFileManager;

/**
 * Writes a streaming query's checkpoint as Spark does, and ends the JVM at a point of a micro-batch's commit if the
 * environment's checkpoints have an order to do so.
 *
 * <p>The order is the object {@code checkpoints/_testenv/kill.json} beside the checkpoints:
 * {@code {"point": "before-offsets|after-offsets|before-commit|after-commit", "batch": 0}}. It is read once, when a job
 * first writes a batch's offsets, and deleted before the JVM ends, so that it is carried out once. Ending is
 * {@code Runtime.halt}: no hook runs, no file is closed, as when a machine is lost. testenv.checks.trial.kills writes it.
 */
public class KillingCheckpointFileManager extends FileSystemBasedCheckpointFileManager {
    /** As of a process that was killed by signal 9. */
    private static final int STATUS = 137;

    private static final String CHECKPOINTS = "checkpoints";
    private static final String ORDER = "_testenv/kill.json";
    private static final List<String> POINTS =
            Arrays.asList("before-offsets", "after-offsets", "before-commit", "after-commit");

    private static Order order;
    private static SparkEnv of;

    private final Configuration configuration;

    /** Spark makes one for each folder of the checkpoint. */
    public KillingCheckpointFileManager(Path path, Configuration configuration) {
        super(path, configuration);
        this.configuration = configuration;
    }

    @Override
    public CancellableFSDataOutputStream createAtomic(Path path, boolean overwriteIfPossible) {
        String log = path.getParent().getName();
        if (!log.equals("offsets") && !log.equals("commits")) {
            return super.createAtomic(path, overwriteIfPossible);
        }
        String what = log.equals("commits") ? "commit" : log;
        Order given = given(path);
        if (given.is("before-" + what, path)) {
            given.carryOut();
        }
        CancellableFSDataOutputStream stream = super.createAtomic(path, overwriteIfPossible);
        return given.is("after-" + what, path) ? new Last(stream, given) : stream;
    }

    private Order given(Path path) {
        synchronized (KillingCheckpointFileManager.class) {
            if (order == null || of != SparkEnv.get()) {
                order = Order.read(path, configuration);
                of = SparkEnv.get();
            }
            return order;
        }
    }

    /** What is to be done; {@code file} is null if nothing is. */
    private static final class Order {
        private FileSystem system;
        private Path file;
        private String point = "";
        private long batch;

        static Order read(Path path, Configuration configuration) {
            Order found = new Order();
            Path checkpoints = checkpoints(path);
            if (checkpoints == null) {
                return found;
            }
            Path file = new Path(checkpoints, ORDER);
            try {
                FileSystem system = file.getFileSystem(configuration);
                try (InputStream stream = system.open(file)) {
                    JsonNode said = new ObjectMapper().readTree(stream);
                    found.point = said.path("point").asText();
                    found.batch = said.path("batch").asLong();
                } catch (FileNotFoundException none) {
                    return found;
                }
                found.system = system;
                found.file = file;
            } catch (IOException error) {
                throw new IllegalStateException("testenv: " + file + " cannot be read: " + error.getMessage(), error);
            }
            if (!POINTS.contains(found.point)) {
                throw new IllegalStateException(
                        "testenv: " + file + ": point: must be one of " + POINTS + ", got '" + found.point + "'");
            }
            return found;
        }

        /** The outermost folder of that name: what lies below is the environment's own. */
        private static Path checkpoints(Path path) {
            Path found = null;
            for (Path each = path; each != null; each = each.getParent()) {
                found = each.getName().equals(CHECKPOINTS) ? each : found;
            }
            return found;
        }

        boolean is(String asked, Path path) {
            return file != null && point.equals(asked) && path.getName().equals(Long.toString(batch));
        }

        void carryOut() {
            try {
                system.delete(file, false);
            } catch (IOException error) {
                throw new IllegalStateException("testenv: " + file + " cannot be deleted: " + error.getMessage(), error);
            }
            System.err.println("testenv: killed at " + point + " of batch " + batch);
            System.err.flush();
            Runtime.getRuntime().halt(STATUS);
        }
    }

    /** A file after whose end the JVM ends. */
    private static final class Last extends CancellableFSDataOutputStream {
        private final CancellableFSDataOutputStream stream;
        private final Order order;

        Last(CancellableFSDataOutputStream stream, Order order) {
            super(stream);
            this.stream = stream;
            this.order = order;
        }

        @Override
        public void close() throws IOException {
            stream.close();
            order.carryOut();
        }

        @Override
        public void cancel() {
            stream.cancel();
        }
    }
}
