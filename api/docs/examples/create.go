package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
)

type Job struct {
	ID    string   `json:"id"`
	State string   `json:"state"`
	Ended bool     `json:"ended"`
	Files []string `json:"files"`
}

func call(method, path, key string, body any) Job {
	data, err := json.Marshal(body)
	if err != nil {
		log.Fatal(err)
	}
	request, err := http.NewRequest(method, os.Getenv("FALHOOK_API_URL")+path, bytes.NewReader(data))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("FALHOOK_API_KEY"))
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		log.Fatal(answer.Status)
	}
	var job Job
	if err := json.NewDecoder(answer.Body).Decode(&job); err != nil {
		log.Fatal(err)
	}
	return job
}

func main() {
	job := call("POST", "/v1/jobs", "order-4711-go", map[string]any{
		"endpoint":  "fal-ai/kling-video/v2.1/master/text-to-video",
		"arguments": map[string]any{"prompt": "A red fox in the snow", "duration": "5"},
	})
	for !job.Ended {
		job = call("GET", "/v1/jobs/"+job.ID+"?wait=60", "", nil)
	}
	fmt.Println(job.State, job.Files)
}
