// The workloads on goroutines, with one processor as all the others have: peer switch.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	budget = 0.25
	most   = 15
)

func report(name string, value float64) {
	runner := os.Getenv("BENCH_RUNNER")
	if runner == "" {
		runner = "go"
	}
	fmt.Printf("%s %s %.1f\n", name, runner, value)
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)*1e-6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func measure(ops int, fn func()) float64 {
	runtime.GC()
	start := cpuSeconds()
	fn()
	return (cpuSeconds() - start) * 1e9 / float64(ops)
}

func repeated(name string, ops int, fn func()) {
	fn()
	var samples []float64
	begun := cpuSeconds()
	for len(samples) == 0 || (cpuSeconds()-begun < budget && len(samples) < most) {
		samples = append(samples, measure(ops, fn))
	}
	sort.Float64s(samples)
	report(name, samples[(len(samples)-1)/2])
}

func rss() float64 {
	var size, pages float64
	file, err := os.Open("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	fmt.Fscan(file, &size, &pages)
	return pages * 4096
}

func yieldTo(count, turns int) {
	var group sync.WaitGroup
	group.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			for j := 0; j < turns; j++ {
				runtime.Gosched()
			}
			group.Done()
		}()
	}
	group.Wait()
}

func doSwitch(string) {
	const switches = 400000
	for _, count := range []int{2, 1000} {
		repeated(fmt.Sprintf("switch_%d", count), switches, func() { yieldTo(count, switches/count) })
	}
}

func spawn(string) {
	const tasks = 200000
	repeated("spawn", tasks, func() {
		sum := 0
		for i := 0; i < tasks; i++ {
			result := make(chan int)
			go func(x int) { result <- x }(i)
			sum += <-result
		}
	})
}

func spawnBatch(string) {
	const tasks = 200000
	report("spawn_batch", measure(tasks, func() { yieldTo(tasks, 1) }))
}

func flat(argument string) {
	tasks, _ := strconv.Atoi(argument)
	if tasks == 0 {
		tasks = 1000
	}
	report(fmt.Sprintf("flat_%d", tasks), measure(tasks, func() { yieldTo(tasks, 1) }))
	report(fmt.Sprintf("flat_again_%d", tasks), measure(tasks, func() { yieldTo(tasks, 1) }))
}

func park(place string) {
	const tasks = 100000
	if place == "" {
		place = "future"
	}
	var resident float64
	before := rss()
	cost := measure(tasks, func() {
		var group sync.WaitGroup
		group.Add(tasks)
		gates := make([]chan bool, tasks)
		event := make(chan bool)
		var parked int64
		for i := 0; i < tasks; i++ {
			go func(i int) {
				atomic.AddInt64(&parked, 1)
				switch place {
				case "event":
					<-event
				case "sleep":
					time.Sleep(1500 * time.Millisecond)
				default:
					gate := make(chan bool, 1)
					gates[i] = gate
					<-gate
				}
				group.Done()
			}(i)
		}
		for atomic.LoadInt64(&parked) < tasks {
			runtime.Gosched()
		}
		resident = rss()
		close(event)
		for _, gate := range gates {
			if gate != nil {
				gate <- true
			}
		}
		group.Wait()
	})
	if place != "sleep" {
		report("park_"+place, cost)
	}
	report("park_"+place+"_rss", (resident-before)/tasks)
}

func timers(string) {
	const tasks = 100000
	random := rand.New(rand.NewSource(42))
	report("timers", measure(tasks, func() {
		var group sync.WaitGroup
		group.Add(tasks)
		for i := 0; i < tasks; i++ {
			delay := time.Duration(random.Float64() * float64(time.Second))
			go func() {
				time.Sleep(delay)
				group.Done()
			}()
		}
		group.Wait()
	}))
}

func timersCancel(string) {
	const times = 100000
	for _, name := range []string{"timeout", "wait_for"} {
		repeated(name, times, func() {
			for i := 0; i < times; i++ {
				_, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				runtime.Gosched()
				cancel()
			}
		})
	}
}

func future(string) {
	const handovers = 200000
	repeated("future", handovers, func() {
		var group sync.WaitGroup
		group.Add(2)
		var waiting chan int
		player := func() {
			for i := 0; i < handovers/2; i++ {
				mine, other := make(chan int, 1), waiting
				waiting = mine
				if other != nil {
					other <- i
				}
				<-mine
			}
			select {
			case waiting <- 0:
			default:
			}
			group.Done()
		}
		go player()
		go player()
		group.Wait()
	})
}

func queue(string) {
	const items = 300000
	for _, count := range []int{1, 10} {
		repeated(fmt.Sprintf("queue_%dp%dc", count, count), items, func() {
			passage := make(chan int, 100)
			var group sync.WaitGroup
			group.Add(2 * count)
			for i := 0; i < count; i++ {
				go func() {
					for j := 0; j < items/count; j++ {
						passage <- j
					}
					group.Done()
				}()
			}
			for i := 0; i < count; i++ {
				go func() {
					for j := 0; j < items/count; j++ {
						<-passage
					}
					group.Done()
				}()
			}
			group.Wait()
		})
	}
}

func lock(string) {
	const tasks, acquisitions = 100, 200000
	repeated("lock", acquisitions, func() {
		var mutex sync.Mutex
		var group sync.WaitGroup
		group.Add(tasks)
		for i := 0; i < tasks; i++ {
			go func() {
				for j := 0; j < acquisitions/tasks; j++ {
					mutex.Lock()
					runtime.Gosched()
					mutex.Unlock()
				}
				group.Done()
			}()
		}
		group.Wait()
	})
}

func gather(string) {
	const tasks, times = 1000, 100
	repeated("gather", tasks*times, func() {
		for i := 0; i < times; i++ {
			results := make([]int, tasks)
			var group sync.WaitGroup
			group.Add(tasks)
			for j := 0; j < tasks; j++ {
				go func(j int) {
					results[j] = 1
					group.Done()
				}(j)
			}
			group.Wait()
		}
	})
}

func asCompleted(string) {
	const tasks, times = 1000, 100
	repeated("as_completed", tasks*times, func() {
		for i := 0; i < times; i++ {
			results := make(chan int)
			for j := 0; j < tasks; j++ {
				go func() { results <- 1 }()
			}
			sum := 0
			for j := 0; j < tasks; j++ {
				sum += <-results
			}
		}
	})
}

// The least elapsed and processor times of several.
func least(name string, ops int, fn func()) {
	best, bestCPU := 1e18, 1e18
	fn()
	for i := 0; i < 5; i++ {
		start, startCPU := time.Now(), cpuSeconds()
		fn()
		best = min(best, float64(time.Since(start).Nanoseconds()))
		bestCPU = min(bestCPU, (cpuSeconds()-startCPU)*1e9)
	}
	report(name, best/float64(ops))
	report(name+"_cpu", bestCPU/float64(ops))
}

func min(a, b float64) float64 {
	if a < b {
		return a
	}
	return b
}

type job struct {
	steps  int
	result chan int
}

func compute(steps int) int {
	sum := 0
	for i := 1; i <= steps; i++ {
		sum += i % 7
	}
	return sum
}

// Goroutines that take jobs from a channel, each in a thread of its own, as a pool of threads.
func executor(string) {
	const rounds, count, steps = 3000, 10000, 5000000
	runtime.GOMAXPROCS(runtime.NumCPU())
	pool := func(size int) chan job {
		jobs := make(chan job, count)
		for i := 0; i < size; i++ {
			go func() {
				runtime.LockOSThread()
				for j := range jobs {
					j.result <- compute(j.steps)
				}
			}()
		}
		return jobs
	}
	run := func(jobs chan job, n, steps int) {
		result := make(chan int, n)
		for i := 0; i < n; i++ {
			jobs <- job{steps, result}
		}
		for i := 0; i < n; i++ {
			<-result
		}
	}
	one := pool(1)
	least("executor_round", rounds, func() {
		for i := 0; i < rounds; i++ {
			run(one, 1, 0)
		}
	})
	close(one)
	four := pool(4)
	least("executor_batch", count, func() { run(four, count, 0) })
	close(four)
	for threads := 1; threads <= 2; threads++ {
		jobs := pool(threads)
		least(fmt.Sprintf("executor_cpu%d", threads), 4, func() { run(jobs, 4, steps) })
		close(jobs)
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	workloads := map[string]func(string){
		"switch": doSwitch, "spawn": spawn, "spawn_batch": spawnBatch, "flat": flat, "park": park,
		"timers": timers, "timers_cancel": timersCancel, "future": future, "queue": queue,
		"lock": lock, "gather": gather, "as_completed": asCompleted, "executor": executor, "startup": func(string) {},
	}
	name, argument := "", ""
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	if len(os.Args) > 2 {
		argument = os.Args[2]
	}
	workload := workloads[name]
	if workload == nil {
		os.Exit(3)
	}
	workload(argument)
}
